"""
What JSON looks like without what it says: keys, types and formats, never a value.

A shape is flat: by place, such as `data[].trigger.created_at`, the kinds of value seen there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any


Shape = Mapping[str, frozenset[str]]

OBJECT, LIST, NULL = "an object", "a list", "null"
# These hold what somebody named or what depends on the warehouse: their keys are values.
OPAQUE = frozenset({"details", "credentials", "variables", "custom_environment_variables"})
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: OBJECT,
    list: LIST,
}
FORMATS = {
    "a date with a space": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)"),
    "a date with T and Z": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "a date with T and offset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d"),
    "a clock duration": re.compile(r"\d{2,}:\d\d:\d\d"),
    "a URL": re.compile(r"https?://\S+"),
}


def shape_of(content: Any) -> Shape:
    found: dict[str, set[str]] = {}
    for place, kind in walk("", content):
        found.setdefault(place, set()).add(kind)
    return {place: frozenset(kinds) for place, kinds in found.items()}


def walk(place: str, value: Any) -> Iterator[tuple[str, str]]:
    yield place, kind_of(value)
    if isinstance(value, dict) and place.rpartition(".")[2] not in OPAQUE:
        for key, inner in value.items():
            yield from walk(f"{place}.{key}".lstrip("."), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(f"{place}[]", inner)


def kind_of(value: Any) -> str:
    if value is None or value == "":
        return NULL  # an empty text tells as little as none
    if isinstance(value, str):
        return next((name for name, form in FORMATS.items() if form.fullmatch(value)), "text")
    return KINDS[type(value)]


def compare(there: Shape, here: Shape) -> list[str]:
    """Each difference in words; what only one side could show is none."""
    found = []
    for place in sorted(there.keys() | here.keys()):
        if place not in there or place not in here:
            if is_known(parent(place), there) and is_known(parent(place), here):
                found.append(f"{place}: {'only here' if place in here else 'not here'}")
            continue
        kinds_there, kinds_here = there[place] - {NULL}, here[place] - {NULL}
        if kinds_there and kinds_here and not kinds_there & kinds_here:
            found.append(f"{place}: {words(kinds_there)} there, {words(kinds_here)} here")
    return found


def parent(place: str) -> str:
    """The place of the object that has this key; itself for the items of a list."""
    return place.rpartition(".")[0] if not place.endswith("[]") else place


def is_known(place: str, shape: Shape) -> bool:
    """Whether this side showed an object there, so that a key it lacks is really lacking."""
    return OBJECT in shape.get(place, frozenset())


def words(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))
