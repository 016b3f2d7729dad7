"""A filter of the API (`status__in`, `created_at__range`, …) as a condition on a table."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Table, UnaryExpression, false, func, select


# The wire's names for columns, where they differ.
COLUMNS = {"pk": "id", "job_definition_id": "job_id", "triggers_schedule": "triggers__schedule"}
LONGEST_PATTERN = 10_000


LOOKUPS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "": lambda column, value: column == value,
    "in": lambda column, value: column.in_(value),
    "range": lambda column, value: column.between(*value),
    "gt": lambda column, value: column > value,
    "icontains": lambda column, value: column.icontains(value, autoescape=True),
}


def read_page(
    engine: Engine,
    table: Table,
    filters: Mapping[str, Any],
    order_by: str,
    limit: int,
    offset: int,
) -> tuple[list[Row[Any]], int]:
    """The rows of one page, and how many match in all."""
    where = [condition(table, name, value) for name, value in filters.items()]
    page = select(table).where(*where).order_by(*ordering(table, order_by))
    with engine.connect() as reader:
        rows = list(reader.execute(page.limit(limit).offset(offset)).all())
        count = select(func.count()).select_from(table).where(*where)
        total = reader.execute(count).scalar_one()
    return rows, total


def condition(table: Table, name: str, value: Any) -> ColumnElement[bool]:
    field, _, lookup = name.partition("__")
    column = find_column(table, field)
    if column is None:
        return false()  # nothing here has that property, so nothing matches it
    if lookup == "icontains" and len(value) > LONGEST_PATTERN:
        return false()  # nothing here is that long, and SQLite refuses to look
    return LOOKUPS[lookup](column, value)


def find_column(table: Table, field: str) -> ColumnElement[Any] | None:
    return table.c.get(field) if field in table.c else table.c.get(COLUMNS.get(field, field))


def ordering(table: Table, order_by: str) -> list[UnaryExpression[Any]]:
    """The column that was asked for, then the id, so that pages never overlap."""
    column = table.c[order_by.removeprefix("-")]
    if order_by.startswith("-"):
        return [column.desc(), table.c.id.desc()]
    return [column.asc(), table.c.id.asc()]
