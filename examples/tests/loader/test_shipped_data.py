"""The files under examples/loader/data are whole."""

import csv
import gzip
import re

import pytest

from examples.loader.tables import DATA, FLIGHTS, TABLES, shipped_months


ROWS = {"flights": 336776, "weather": 26115, "airlines": 16, "airports": 1458, "planes": 3322}


def rows_of(file):
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


class TestShippedData:
    def test_there_are_twelve_months(self):
        """Every month of 2013, oldest first."""
        assert shipped_months() == [f"2013-{month:02}" for month in range(1, 13)]

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    def test_no_row_is_missing(self, table):
        """Each table has as many rows as its source, and no NA was left as text."""
        files = {table.file(month) for month in shipped_months()}

        count = 0
        for file in files:
            for row in rows_of(file):
                assert "NA" not in row.values()
                assert list(row) == list(table.columns)
                count += 1

        assert count == ROWS[table.name]

    def test_a_month_holds_its_own_flights(self):
        """The file of a month has that month's flights alone."""
        for month in shipped_months():
            months = {(row["year"], row["month"]) for row in rows_of(FLIGHTS.file(month))}
            assert months == {("2013", str(int(month[-2:])))}

    def test_the_readme_gives_the_same_numbers(self):
        """What the README says of the number of rows is true."""
        table = re.findall(
            r"^\| `(\w+).*?` \| ([\d,]+) \|", (DATA / "README.md").read_text(), re.MULTILINE
        )

        assert {name: int(rows.replace(",", "")) for name, rows in table} == ROWS

    def test_a_file_carries_no_time_of_writing(self):
        """Cut again, the same rows give the same bytes: gzip's time field is zero."""
        files = list(DATA.rglob("*.gz"))

        assert len(files) == 27
        assert {file.read_bytes()[4:8] for file in files} == {bytes(4)}
