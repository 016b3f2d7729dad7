"""Load: put the files of a month into schema `raw`, in the place of what was there of it."""

from collections.abc import Callable, Sequence

from psycopg import Connection
from psycopg.errors import InvalidSchemaName, UndefinedTable
from psycopg.sql import SQL, Identifier

from examples.include.flight_delays.month_files import MonthFile, SourcePath


# The number that `make load-flights` takes as well: two loads at once would both delete what they
# see, then both copy, and leave the month there twice.
LOAD_LOCK = 2013


class NoRawTablesError(Exception):
    """The warehouse has no schema `raw` yet."""


def load_month(
    warehouse: Connection, files: Sequence[MonthFile], open_file: Callable[[str], SourcePath]
) -> dict[str, int]:
    """
    Replace a month in every table, in one transaction: all of it is new, or nothing is.

    Doing it again leaves the same rows, so a retry and a backfill do no harm.
    """
    try:
        with warehouse.transaction():
            warehouse.execute("select pg_advisory_xact_lock(%s)", [LOAD_LOCK])
            return {file.table: _replace(warehouse, file, open_file) for file in files}
    except (UndefinedTable, InvalidSchemaName) as error:
        raise NoRawTablesError(
            f"{str(error).splitlines()[0]}. Create the tables with their first month, from a "
            "terminal:   make load-flights MONTH=2013-01"
        ) from error


def _replace(warehouse: Connection, file: MonthFile, open_file: Callable[[str], SourcePath]) -> int:
    table = Identifier("raw", file.table)
    year, month = file.month.split("-")
    delete = SQL("delete from {} where year = %s and month = %s").format(table)
    columns = SQL(", ").join(map(Identifier, file.columns))
    copy = SQL("copy {} ({}) from stdin (format csv, header true)").format(table, columns)
    warehouse.execute(delete, [int(year), int(month)])
    with warehouse.cursor() as cursor:
        with cursor.copy(copy) as rows:
            rows.write(file.read(open_file(file.address)))
        return cursor.rowcount
