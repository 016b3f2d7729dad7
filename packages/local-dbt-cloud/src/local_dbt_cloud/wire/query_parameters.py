"""
Reads query parameters as leniently as dbt Cloud does.

A list arrives as `a,b`, `["a", "b"]`, `['a', 'b']`, `[a]`, repeated keys, or one element with a
comma in it: each form is what some shipping client sends. Unknown parameters are ignored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from local_dbt_cloud.wire.errors import InvalidRequestError


MAX_LIMIT = 100
TRUE, FALSE = {"true", "1"}, {"false", "0"}

Parser = Callable[[list[str]], Any]


def split_list(values: list[str]) -> list[str]:
    """Every encoding of a list, as the plain texts that it holds."""
    texts: list[str] = []
    for value in values:
        inner = value.strip()
        if inner.startswith("[") and inner.endswith("]"):
            inner = inner[1:-1]
        texts += [text.strip().strip("\"'").strip() for text in inner.split(",")]
    return [text for text in texts if text]


def integer(values: list[str]) -> int:
    number = int(values[-1].strip())
    if abs(number) >= 2**63:
        raise ValueError
    return number


def integers(values: list[str]) -> list[int]:
    return [integer([text]) for text in split_list(values)]


def text(values: list[str]) -> str:
    return values[-1]


def boolean(values: list[str]) -> bool:
    value = values[-1].strip().lower()
    if value not in TRUE | FALSE:
        raise ValueError
    return value in TRUE


def moments(values: list[str]) -> list[datetime]:
    """Two ISO timestamps, from and to; UTC unless they say otherwise."""
    start, end = (datetime.fromisoformat(text) for text in split_list(values))
    both = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (start, end)]
    # In UTC now, because the first and the last day of the calendar do not exist everywhere.
    return [moment.astimezone(UTC) for moment in both]


def read_filters(query: QueryParams, parsers: Mapping[str, Parser]) -> dict[str, Any]:
    """The filters that were given, typed; raise `InvalidRequestError`."""
    given = {name: query.getlist(name) for name in parsers}
    return {
        name: parse(name, values, parsers[name])
        for name, values in given.items()
        if any(value.strip() for value in values)
    }


def parse(name: str, values: list[str], parser: Parser) -> Any:
    try:
        return parser([without_nul(value) for value in values])
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            **{name: f"'{values[-1]}' is not valid under any of the given schemas"}
        ) from None


def without_nul(value: str) -> str:
    """No database keeps a NUL, so nothing can be found by it."""
    if "\0" in value:
        raise ValueError
    return value


def state(values: list[str]) -> str:
    """`active`, `deleted` or `all`; the first two also by their numbers."""
    value = values[-1].strip().lower()
    value = {"1": "active", "2": "deleted"}.get(value, value)
    if value not in {"active", "deleted", "all"}:
        raise ValueError
    return value


def read_state(query: QueryParams) -> str:
    found: str = read_filters(query, {"state": state}).get("state", "active")
    return found


def read_related(query: QueryParams) -> frozenset[str]:
    """What `include_related` asks for; unknown names stay in and change nothing."""
    return frozenset(split_list(query.getlist("include_related")))


@dataclass(frozen=True, slots=True)
class Paging:
    limit: int
    offset: int
    order_by: str


def read_paging(
    query: QueryParams, orders: tuple[str, ...] = ("id",), limit: int = MAX_LIMIT
) -> Paging:
    """A limit above 100 is cut to 100 and echoed so, which keeps the clients' page loops right."""
    given = read_filters(query, {"limit": integer, "offset": integer, "order_by": text})
    limit, offset = given.get("limit", limit), given.get("offset", 0)
    order_by: str = given.get("order_by", "id")
    if limit < 1 or offset < 0 or order_by.removeprefix("-") not in orders:
        wrong = "limit" if limit < 1 else "offset" if offset < 0 else "order_by"
        raise InvalidRequestError(
            **{wrong: f"'{query[wrong]}' is not valid under any of the given schemas"}
        )
    return Paging(min(limit, MAX_LIMIT), offset, order_by)


def as_echoed(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as JSON can hold them."""
    return {name: echo(value) for name, value in filters.items()}


def echo(value: Any) -> Any:
    if isinstance(value, list):
        return [echo(item) for item in value]
    return str(value) if isinstance(value, datetime) else value
