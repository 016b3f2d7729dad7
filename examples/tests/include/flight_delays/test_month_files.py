"""Extract: only whole files of the right month get through."""

import gzip
from pathlib import Path

import pytest

from examples.include.flight_delays.month_files import MonthFile, SourceFileError, find_month


SHIPPED = Path(__file__).parents[4] / "examples/loader/data"


def write(source, table, month, rows):
    """A source with one file: a header and these rows."""
    file = source / table / f"{month}.csv.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress("\n".join(["year,month,day", *rows, ""]).encode()))
    return file


@pytest.fixture
def source(tmp_path):
    """A source that has February."""
    for table in ("flights", "weather"):
        write(tmp_path, table, "2013-02", ["2013,2,1", "2013,2,2"])
    return tmp_path


def test_shipped_month():
    """The shipped January is found: 27,004 flights, and the weather of its hours."""
    flights, weather = find_month(SHIPPED, "2013-01")

    assert (flights.table, flights.rows) == ("flights", 27004)
    assert (weather.table, weather.rows) == ("weather", 2226)
    assert flights.columns[:3] == ("year", "month", "day")


def test_month_that_is_not_there(source):
    """A month that the source does not have is an error that names the missing file."""
    with pytest.raises(SourceFileError, match=r"flights/2013-03.csv.gz"):
        find_month(source, "2013-03")


def test_rows_of_another_month(source):
    """A file with a row of another month would leave it there twice, and is refused."""
    write(source, "weather", "2013-02", ["2013,2,1", "2013,3,1"])

    with pytest.raises(SourceFileError, match="1 of its 2 rows"):
        find_month(source, "2013-02")


def test_empty_file(source):
    """A file without rows would only delete what is there, and is refused."""
    write(source, "flights", "2013-02", [])

    with pytest.raises(SourceFileError, match="is not 2013-02"):
        find_month(source, "2013-02")


def test_file_that_changed_in_between(source):
    """What is loaded is what was checked: a file that changed since is refused."""
    flights, _ = find_month(source, "2013-02")
    file = write(source, "flights", "2013-02", ["2013,2,1"])

    with pytest.raises(SourceFileError, match="has changed"):
        flights.read(file)


def test_through_xcom(source):
    """The description survives the way through an XCom."""
    found = find_month(source, "2013-02")

    assert [MonthFile.from_xcom(each.as_xcom()) for each in found] == found
