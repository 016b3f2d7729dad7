"""The incremental model builds one month and leaves the others alone."""

import os
import subprocess
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[4]
MONTHS = (
    "select to_char(flight_month, 'YYYY-MM'), count(*), sum(count_flights)"
    " from analytics.monthly_flights group by 1 order by 1"
)
JANUARY = ("2013-01", 16, 27004)
FEBRUARY = ("2013-02", 15, 24951)  # OO flew nothing


@pytest.fixture
def february(flights_in_warehouse, dbt):
    """The warehouse with February too and the model built for January; gone after the test."""
    load = [".local/postgres/bin/python", "-m", "examples.loader", "load", "--month", "2013-02"]
    subprocess.run(
        load,
        check=True,
        cwd=REPOSITORY,
        env=os.environ | flights_in_warehouse.environment(),
        timeout=120,
    )
    select = ("--select", "+monthly_flights", "--full-refresh")
    built = dbt("build", *select, "--vars", "{month: 2013-01}")
    assert built.exit_code == 0, built.output
    yield flights_in_warehouse
    with flights_in_warehouse.connect() as connection:
        connection.execute("delete from raw.flights where month = 2")
        connection.execute("delete from raw.weather where month = 2")
        connection.execute(
            "delete from analytics.monthly_flights where flight_month <> '2013-01-01'"
        )


@pytest.fixture
def monthly(dbt):
    """Build the model, with or without a month."""

    def build(*arguments):
        invocation = dbt("build", "--select", "+monthly_flights", *arguments)
        assert invocation.exit_code == 0, invocation.output

    return build


class TestMonthlyFlights:
    def test_a_month_built_twice_is_there_once(self, february, monthly):
        """Building February again changes nothing, and January stays."""
        monthly("--vars", "{month: 2013-02}")
        once = february.rows(MONTHS)
        monthly("--vars", "{month: 2013-02}")

        assert once == [JANUARY, FEBRUARY]
        assert february.rows(MONTHS) == [JANUARY, FEBRUARY]

    def test_without_a_month_it_is_the_newest(self, february, monthly):
        """No variable: the newest month in raw is built."""
        monthly()

        assert february.rows(MONTHS) == [JANUARY, FEBRUARY]

    def test_a_carrier_that_left_a_month_leaves_the_model(self, february, monthly):
        """The whole month is replaced, also where the raw table has less than before."""
        monthly("--vars", "{month: 2013-02}")
        with february.connect() as connection:
            connection.execute("delete from raw.flights where month = 2 and carrier = 'HA'")
        monthly("--vars", "{month: 2013-02}")

        assert february.rows(MONTHS) == [JANUARY, ("2013-02", 14, 24951 - 28)]

    @pytest.mark.parametrize("month", ["2013-2", "2013-13", "february"])
    def test_a_month_that_is_none_is_refused(self, february, dbt, month):
        """Instead of building nothing in silence, dbt says how a month is written."""
        invocation = dbt("run", "--select", "monthly_flights", "--vars", f"{{month: {month}}}")

        assert invocation.exit_code != 0
        assert f"month is '{month}', but a month is written 2013-02" in invocation.output
        assert february.rows(MONTHS) == [JANUARY]
