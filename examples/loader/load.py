"""Puts the shipped files into schema `raw`."""

import gzip
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from examples.loader.tables import TABLES, Table


# Any number will do, as long as every load takes the same: two at once would both delete what
# they see, then both copy, and leave the month there twice.
LOAD_LOCK = 2013


@dataclass(frozen=True)
class LoadedTable:
    """What one load put into one table."""

    name: str
    rows: int
    seconds: float


def load(
    connection: psycopg.Connection, months: Sequence[str], *, only_if_empty: bool = False
) -> list[LoadedTable]:
    """
    Replace the given months, and the tables without months, in one transaction.

    Nothing is ever dropped: dbt's views depend on these tables. An empty list means that
    `only_if_empty` found flights and left everything as it was.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [LOAD_LOCK])
        if only_if_empty and _has_flights(connection):
            return []
        _create_tables(connection)
        return [_replace(connection, table, months) for table in TABLES]


def _has_flights(connection: psycopg.Connection) -> bool:
    if connection.execute("select to_regclass('raw.flights')").fetchone() == (None,):
        return False
    return connection.execute("select 1 from raw.flights limit 1").fetchone() is not None


def _create_tables(connection: psycopg.Connection) -> None:
    # `create … if not exists` says so on stderr when it does exist.
    connection.execute("set local client_min_messages = warning")
    connection.execute("create schema if not exists raw")
    for table in TABLES:
        connection.execute(_create_statement(table))


def _create_statement(table: Table) -> sql.Composed:
    columns = table.columns | {"_loaded_at": "timestamptz not null default now()"}
    return sql.SQL("create table if not exists {} ({})").format(
        sql.Identifier("raw", table.name),
        sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in columns.items()
        ),
    )


def _replace(connection: psycopg.Connection, table: Table, months: Sequence[str]) -> LoadedTable:
    started = time.perf_counter()
    rows = sum(_replace_parts(connection, table, months))
    connection.execute(sql.SQL("analyze {}").format(sql.Identifier("raw", table.name)))
    return LoadedTable(table.name, rows, time.perf_counter() - started)


def _replace_parts(
    connection: psycopg.Connection, table: Table, months: Sequence[str]
) -> Iterator[int]:
    for month in months if table.is_monthly else months[:1]:
        _delete(connection, table, month)
        yield _copy(connection, table, month)


def _delete(connection: psycopg.Connection, table: Table, month: str) -> None:
    statement = sql.SQL("delete from {}").format(sql.Identifier("raw", table.name))
    if not table.is_monthly:
        connection.execute(statement)
        return
    year, month_of_year = map(int, month.split("-"))
    where = sql.SQL(" where year = {} and month = {}").format(year, month_of_year)
    connection.execute(statement + where)


def _copy(connection: psycopg.Connection, table: Table, month: str) -> int:
    statement = sql.SQL("copy {} ({}) from stdin (format csv, header match)").format(
        sql.Identifier("raw", table.name),
        sql.SQL(", ").join(map(sql.Identifier, table.columns)),
    )
    with gzip.open(table.file(month)) as file, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        return cursor.rowcount
