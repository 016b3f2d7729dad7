"""Loading into a real PostgreSQL."""

import os
import subprocess
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[3]
MONTHS = "select month, count(*) from raw.flights group by month order by month"


@pytest.fixture
def january(flights_in_warehouse, ingestion):
    """The warehouse holding January and nothing else, also after the test."""
    yield flights_in_warehouse
    with flights_in_warehouse.connect() as connection:
        connection.execute("delete from raw.flights where month <> 1")
        connection.execute("delete from raw.weather where month <> 1")
    loaded = ingestion("load", "--month", "2013-01", variables=flights_in_warehouse.environment())
    assert loaded.returncode == 0, loaded.stderr


class TestLoad:
    def test_says_how_many_rows_each_table_got(self, january, ingestion):
        """One line for each table: its rows and the seconds it took."""
        loaded = ingestion("load", "--month", "2013-01", variables=january.environment())

        lines = [line.split() for line in loaded.stdout.splitlines()]
        assert [(line[0], line[1]) for line in lines] == [
            ("raw.flights", "27,004"),
            ("raw.weather", "2,226"),
            ("raw.airlines", "16"),
            ("raw.airports", "1,458"),
            ("raw.planes", "3,322"),
        ]
        assert all(line[2] == "rows" and line[4] == "s" for line in lines)

    def test_keeps_what_is_missing_missing(self, january):
        """A value that the source does not have is null, not zero and not text."""
        nulls = january.rows(
            "select count(*) filter (where dep_time is null),"
            " count(*) filter (where tailnum is null), count(*) filter (where tailnum = '')"
            " from raw.flights"
        )

        assert nulls == [(521, 155, 0)]

    def test_time_hour_is_the_hour_of_new_york(self, january):
        """`time_hour` and the calendar columns name the same hour, in flights and in weather."""
        for table in ("flights", "weather"):
            wrong = january.rows(
                f"select count(*) from raw.{table}"  # noqa: S608 - the two names above
                " where time_hour <> make_timestamptz("
                "year, month, day, hour, 0, 0, 'America/New_York')"
            )

            assert wrong == [(0,)]

    def test_a_month_loaded_again_replaces_itself(self, january, ingestion):
        """The rows are the same number, but newer ones, in every table."""
        before = january.rows("select max(_loaded_at) from raw.planes")[0][0]

        loaded = ingestion("load", "--month", "2013-01", variables=january.environment())

        assert loaded.returncode == 0, loaded.stderr
        for table, rows in {"flights": 27004, "weather": 2226, "planes": 3322}.items():
            found = january.rows(f"select count(*), min(_loaded_at) from raw.{table}")  # noqa: S608 - three names
            assert found[0][0] == rows
            assert found[0][1] > before

    def test_a_second_month_leaves_the_first(self, january, ingestion):
        """Loading February adds February; January's rows are not touched."""
        before = january.rows("select max(_loaded_at) from raw.flights where month = 1")

        loaded = ingestion("load", "--month", "2013-02", variables=january.environment())

        assert loaded.returncode == 0, loaded.stderr
        assert january.rows(MONTHS) == [(1, 27004), (2, 24951)]
        assert january.rows("select max(_loaded_at) from raw.flights where month = 1") == before

    def test_only_if_empty_leaves_flights_alone(self, january, ingestion):
        """With flights in the warehouse nothing is loaded, and it says so."""
        before = january.rows("select max(_loaded_at) from raw.flights")

        loaded = ingestion("load", "--all", "--only-if-empty", variables=january.environment())

        assert loaded.returncode == 0, loaded.stderr
        assert loaded.stdout == "raw.flights has rows already; nothing loaded\n"
        assert january.rows(MONTHS) == [(1, 27004)]
        assert january.rows("select max(_loaded_at) from raw.flights") == before

    def test_only_if_empty_fills_an_empty_warehouse(self, january, ingestion):
        """Without flights it loads as if the option were not there."""
        with january.connect() as connection:
            connection.execute("delete from raw.flights")

        ingestion("load", "--month", "2013-01", "--only-if-empty", variables=january.environment())

        assert january.rows(MONTHS) == [(1, 27004)]

    def test_views_on_the_tables_survive(self, january, ingestion):
        """A load never drops a table, so a view that reads one goes on working."""
        with january.connect() as connection:
            connection.execute("create view raw.on_flights as select * from raw.flights")
            try:
                loaded = ingestion("load", "--month", "2013-01", variables=january.environment())
                rows = january.rows("select count(*) from raw.on_flights")
            finally:
                connection.execute("drop view raw.on_flights")

        assert loaded.returncode == 0, loaded.stderr
        assert rows == [(27004,)]

    def test_two_loads_at_once_do_not_double_a_month(self, january):
        """Of several loads of one month each waits for the other."""
        command = [".local/postgres/bin/python", "-m", "examples.loader", "load"]
        processes = [
            subprocess.Popen(
                [*command, "--month", "2013-02"],
                cwd=REPOSITORY,
                env=os.environ | january.environment(),
                stdout=subprocess.DEVNULL,
            )
            for _ in range(3)
        ]

        assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
        assert january.rows(MONTHS) == [(1, 27004), (2, 24951)]

    def test_a_load_that_fails_changes_nothing(self, january, ingestion):
        """When the last table refuses its rows, the month loaded before it is rolled back."""
        with january.connect() as connection:
            connection.execute("alter table raw.planes add constraint none check (false) not valid")
            try:
                loaded = ingestion("load", "--month", "2013-02", variables=january.environment())
            finally:
                connection.execute("alter table raw.planes drop constraint none")

        assert loaded.returncode == 1
        assert loaded.stderr.startswith("error: nothing was loaded")
        assert "violates check constraint" in loaded.stderr
        assert january.rows(MONTHS) == [(1, 27004)]
