"""A range of months, and what each asks of dbt."""

import pytest

from examples.include.months import MonthRangeError, commands_by_month, months_between


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2013-05", "2013-05", ["2013-05"]),
        ("2012-11", "2013-02", ["2012-11", "2012-12", "2013-01", "2013-02"]),
    ],
    ids=["one", "over the end of a year"],
)
def test_range(first, last, months):
    """Both ends belong to it."""
    assert months_between(first, last) == months


def test_range_that_ends_before_it_begins():
    """Nothing between is an error, not an empty backfill that looks green."""
    with pytest.raises(MonthRangeError, match="2013-02, comes after the last, 2013-01"):
        months_between("2013-02", "2013-01")


def test_commands():
    """Each month is a run of one command, with the models of the form."""
    assert commands_by_month("2013-01", "2013-01", "a b+") == [
        ["dbt build --select a b+ --vars '{month: 2013-01}'"]
    ]
