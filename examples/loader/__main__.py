"""The command line: `python -m examples.loader load --month 2013-01`."""

import argparse
import sys
from collections.abc import Sequence

import psycopg

from dbt_cloud_api.user_error import UserError
from examples.loader.load import LoadedTable, load
from examples.loader.tables import shipped_months
from examples.loader.warehouse import connect


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when loaded, 1 when not (the reason is on stderr)."""
    try:
        _load(_parser().parse_args(arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.loader", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("load", help="put shipped months into schema raw")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--month", action="append", metavar="YYYY-MM", help="may be repeated")
    which.add_argument("--all", action="store_true", help="all twelve months of 2013")
    command.add_argument(
        "--only-if-empty", action="store_true", help="do nothing when raw.flights has rows"
    )
    return parser


def _load(options: argparse.Namespace) -> None:
    months = shipped_months() if options.all else _checked(options.month)
    with connect() as connection:
        try:
            loaded = load(connection, months, only_if_empty=options.only_if_empty)
        except psycopg.Error as error:
            raise _failed(error) from error
    _report(loaded)


def _checked(months: Sequence[str]) -> list[str]:
    shipped = shipped_months()
    for month in months:
        if month not in shipped:
            raise UserError(
                f"no flights for month {month!r}",
                f"A month is one of {shipped[0]} to {shipped[-1]}.",
                (f"make load-flights MONTH={shipped[1]}",),
            )
    return sorted(set(months))


def _failed(error: psycopg.Error) -> UserError:
    return UserError(
        "nothing was loaded; schema raw is as it was before",
        f"The warehouse answered: {' '.join(str(error).split())}",
        (
            "If it stopped, start it:   make up",
            "If someone changed a table of schema raw, drop that table and load again",
        ),
    )


def _report(loaded: Sequence[LoadedTable]) -> None:
    if not loaded:
        print("raw.flights has rows already; nothing loaded")
    for table in loaded:
        print(f"raw.{table.name:<9} {table.rows:>8,} rows  {table.seconds:6.2f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
