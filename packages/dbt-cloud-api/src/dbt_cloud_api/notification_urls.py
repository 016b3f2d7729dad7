"""The addresses of DBT_CLOUD_NOTIFICATION_URLS, and what in them opens what they lead to."""

import re
from collections.abc import Iterator


SETTING = "DBT_CLOUD_NOTIFICATION_URLS"
# The addresses may have commas of their own; another address begins with its scheme.
BETWEEN_ADDRESSES = re.compile(r",(?=\s*[A-Za-z0-9]+://)")
ON_THIS_MACHINE = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/?#]|$)")
# Shorter ones would turn up in ordinary words.
SHORTEST = 6


def addresses(setting: str) -> list[str]:
    found = (each.strip() for each in BETWEEN_ADDRESSES.split(setting))
    return [each for each in found if each]


def secret_parts(address: str) -> set[str]:
    """
    Give each part of an address that may open what it leads to: login, host, path, query.

    Programs write the parts apart, and hosts in small letters.
    """
    _, mark, rest = address.partition("://")
    if not mark:
        return {address}
    place, _, query = rest.partition("?")
    login, _, host_and_path = place.rpartition("@")
    host, _, path = host_and_path.partition("/")
    parts = {address, rest, query, path, path.rstrip("/"), *_words(login, ":/"), *_words(path, "/")}
    if not ON_THIS_MACHINE.match(host):
        parts |= {host, host.rpartition(":")[0]}
        parts |= {part.lower() for part in (host, host.rpartition(":")[0])}
    parts |= set(_values(query))
    return {part for part in parts if len(part) >= SHORTEST}


def _words(text: str, between: str) -> Iterator[str]:
    # A word of small letters, such as services, is one of every log.
    words = re.split(f"[{between}]", text)
    return (word for word in words if not re.fullmatch("[a-z_-]*", word))


def _values(query: str) -> Iterator[str]:
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        # Apprise's way to give a header.
        yield from [value] if name[:1] in {"+", "-"} else _words(value, "\0")
