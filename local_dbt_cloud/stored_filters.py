"""A filter of the API (`status__in`, `created_at__range`, …) as a condition on a table."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Table, UnaryExpression, false


# The wire's names for columns, where they differ.
COLUMNS = {"pk": "id", "job_definition_id": "job_id"}


LOOKUPS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "": lambda column, value: column == value,
    "in": lambda column, value: column.in_(value),
    "range": lambda column, value: column.between(*value),
    "gt": lambda column, value: column > value,
    "icontains": lambda column, value: column.icontains(value, autoescape=True),
}


def condition(table: Table, name: str, value: Any) -> ColumnElement[bool]:
    field, _, lookup = name.partition("__")
    if field == "triggers_schedule":
        found: ColumnElement[bool] = table.c.definition["triggers"]["schedule"].as_boolean()
        return found.is_(value)
    column = find_column(table, field)
    if column is None:
        return false()  # nothing here has that property, so nothing matches it
    return LOOKUPS[lookup](column, value)


def find_column(table: Table, field: str) -> ColumnElement[Any] | None:
    return table.c.get(COLUMNS.get(field, field))


def ordering(table: Table, order_by: str) -> list[UnaryExpression[Any]]:
    """The column that was asked for, then the id, so that pages never overlap."""
    column = table.c[order_by.removeprefix("-")]
    if order_by.startswith("-"):
        return [column.desc(), table.c.id.desc()]
    return [column.asc(), table.c.id.asc()]
