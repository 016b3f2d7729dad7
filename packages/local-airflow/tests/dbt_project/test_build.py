"""A real `dbt build` of January."""

import pytest


@pytest.fixture(scope="module")
def build(dbt):
    """One `dbt build` of everything, and how its nodes ended."""
    invocation = dbt("build", "--no-partial-parse", "--show-all-deprecations")
    assert invocation.exit_code == 0, invocation.output
    return invocation, invocation.statuses(), invocation.artifact("run_results.json")["results"]


class TestBuild:
    def test_everything_passes_but_the_known_warning(self, build):
        """Nine models, 51 data tests, one unit test; unknown tail numbers warn and stop nothing."""
        _, statuses, results = build

        assert statuses == {"success": 9, "pass": 51, "warn": 1, "no-op": 1}
        (warning,) = [result for result in results if result["status"] == "warn"]
        assert warning["failures"] == 4324
        assert "stg_flights_tail_number" in warning["unique_id"]

    def test_nothing_is_deprecated(self, build):
        """How the project is written gives dbt nothing to warn about."""
        assert "deprecat" not in build[0].output.lower()

    @pytest.mark.parametrize(
        ("model", "rows"),
        [
            ("stg_flights", 27004),
            ("stg_weather", 2226),
            ("stg_airlines", 16),
            ("stg_airports", 1458),
            ("stg_planes", 3322),
            ("daily_delays_by_carrier", 460),
            ("performance_by_route", 186),
            ("delays_against_weather", 1642),
            ("monthly_flights", 16),
        ],
    )
    def test_each_model_has_its_rows(self, build, flights_in_warehouse, model, rows):
        """January gives every model a known number of rows, in schema analytics."""
        found = flights_in_warehouse.rows(f"select count(*) from analytics.{model}")  # noqa: S608 - the names above

        assert found == [(rows,)]

    @pytest.mark.parametrize(
        "model",
        [
            "daily_delays_by_carrier",
            "performance_by_route",
            "delays_against_weather",
            "monthly_flights",
        ],
    )
    def test_no_mart_loses_or_doubles_a_flight(self, build, flights_in_warehouse, model):
        """Every mart counts all 27,004 flights once, 521 of them cancelled."""
        found = flights_in_warehouse.rows(
            f"select sum(count_flights), sum(count_cancelled_flights) from analytics.{model}"  # noqa: S608 - the names above
        )

        assert found == [(27004, 521)]

    def test_delays_are_those_of_the_raw_rows(self, build, flights_in_warehouse):
        """A carrier's day has the figures that a plain query on the raw table gives."""
        mart = flights_in_warehouse.rows(
            "select count_flights, count_cancelled_flights, average_departure_delay_minutes"
            " from analytics.daily_delays_by_carrier"
            " where carrier_code = 'UA' and flight_date = '2013-01-01'"
        )
        raw = flights_in_warehouse.rows(
            "select count(*), count(*) - count(dep_time), round(avg(dep_delay), 1)"
            " from raw.flights where carrier = 'UA' and month = 1 and day = 1"
        )

        assert mart == raw
        assert mart[0][0] == 165

    def test_weather_is_that_of_the_hour_in_new_york(self, build, flights_in_warehouse):
        """Joined on points in time, each hour has the weather that the calendar columns give."""
        differing = flights_in_warehouse.rows(
            "select count(*) from analytics.delays_against_weather as mart"
            " join raw.weather on origin = origin_airport_code and make_timestamptz("
            "year, month, day, hour, 0, 0, 'America/New_York') = scheduled_departure_hour_at"
            " where wind_speed_mph is distinct from wind_speed"
            " or temperature_fahrenheit is distinct from temp"
        )
        known = flights_in_warehouse.rows(
            "select count(*) from analytics.delays_against_weather where is_weather_known"
        )

        assert differing == [(0,)]
        assert known[0][0] > 1600

    def test_sources_are_fresh(self, build, dbt):
        """`dbt source freshness` passes for every table that was just loaded."""
        invocation = dbt("source", "freshness")

        results = invocation.artifact("sources.json")["results"]
        assert invocation.exit_code == 0, invocation.output
        assert [result["status"] for result in results] == ["pass"] * 5
