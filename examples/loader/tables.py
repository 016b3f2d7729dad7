"""The five tables of schema `raw`: their columns, and the files that fill them."""

from dataclasses import dataclass
from pathlib import Path


DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Table:
    """A table of schema `raw`; `columns` maps a name to its type, in the order of the file."""

    name: str
    columns: dict[str, str]
    is_monthly: bool = False

    def file(self, month: str) -> Path:
        """The gzip CSV of one month (`2013-01`), or of everything when there are no months."""
        if self.is_monthly:
            return DATA / self.name / f"{month}.csv.gz"
        return DATA / f"{self.name}.csv.gz"


# Times of day stay numbers (517 is 5:17), as the source has them: turning them into times is
# the work of dbt's staging models. Nothing but `time_hour` knows its time zone; it is UTC.
FLIGHTS = Table(
    "flights",
    {
        "year": "smallint not null",
        "month": "smallint not null",
        "day": "smallint not null",
        "dep_time": "smallint",
        "sched_dep_time": "smallint",
        "dep_delay": "smallint",
        "arr_time": "smallint",
        "sched_arr_time": "smallint",
        "arr_delay": "smallint",
        "carrier": "text",
        "flight": "integer",
        "tailnum": "text",
        "origin": "text",
        "dest": "text",
        "air_time": "smallint",
        "distance": "smallint",
        "hour": "smallint",
        "minute": "smallint",
        "time_hour": "timestamptz",
    },
    is_monthly=True,
)

WEATHER = Table(
    "weather",
    {
        "origin": "text",
        "year": "smallint not null",
        "month": "smallint not null",
        "day": "smallint not null",
        "hour": "smallint",
        "temp": "numeric",
        "dewp": "numeric",
        "humid": "numeric",
        "wind_dir": "smallint",
        "wind_speed": "numeric",
        "wind_gust": "numeric",
        "precip": "numeric",
        "pressure": "numeric",
        "visib": "numeric",
        "time_hour": "timestamptz",
    },
    is_monthly=True,
)

AIRLINES = Table("airlines", {"carrier": "text", "name": "text"})

AIRPORTS = Table(
    "airports",
    {
        "faa": "text",
        "name": "text",
        "lat": "double precision",
        "lon": "double precision",
        "alt": "integer",
        "tz": "numeric",
        "dst": "text",
        "tzone": "text",
    },
)

PLANES = Table(
    "planes",
    {
        "tailnum": "text",
        "year": "smallint",
        "type": "text",
        "manufacturer": "text",
        "model": "text",
        "engines": "smallint",
        "seats": "smallint",
        "speed": "smallint",
        "engine": "text",
    },
)

TABLES = (FLIGHTS, WEATHER, AIRLINES, AIRPORTS, PLANES)


def shipped_months() -> list[str]:
    """Every month that can be loaded, oldest first: `2013-01` to `2013-12`."""
    return sorted(file.name.removesuffix(".csv.gz") for file in (DATA / "flights").glob("*.csv.gz"))
