"""What the model learns from: the hours of one month, as dbt's mart has them."""

from typing import Any

from psycopg import Connection


# An hour of an airport: what was known before (place, clock, weather), and what came of it.
# Hours are those on a clock in New York. About 1,600 rows a month.
QUERY = """
    select
        origin_airport_code,
        extract(day from clock)::int,
        extract(hour from clock)::int,
        extract(isodow from clock)::int,
        temperature_fahrenheit::float,
        wind_speed_mph::float,
        precipitation_inches::float,
        visibility_miles::float,
        average_departure_delay_minutes::float
    from analytics.delays_against_weather
    cross join lateral (
        select scheduled_departure_hour_at at time zone 'America/New_York' as clock
    ) as new_york
    where
        to_char(clock, 'YYYY-MM') = %s
        and is_weather_known
        and average_departure_delay_minutes is not null
    order by clock, origin_airport_code
"""


class NoObservationsError(Exception):
    """The mart has nothing of this month."""


def observe_month(warehouse: Connection, month: str) -> list[list[Any]]:
    rows = [list(row) for row in warehouse.execute(QUERY, [month])]
    if not rows:
        raise NoObservationsError(
            f"analytics.delays_against_weather has no hour of {month}. Does the dbt job build in "
            "the warehouse of the connection `warehouse`?"
        )
    return rows
