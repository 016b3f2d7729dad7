"""A range of months, and the dbt command that builds one of them."""

from airflow.sdk.exceptions import AirflowFailException


class MonthRangeError(AirflowFailException):
    """The range has no month in it; a retry would find none either."""


def months_between(first: str, last: str) -> list[str]:
    """List the months from `first` to `last` (`2013-02`), both included."""
    start, end = _number(first), _number(last)
    if start > end:
        raise MonthRangeError(f"The first month, {first}, comes after the last, {last}.")
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(start, end + 1)]


def commands_by_month(first: str, last: str, models: str) -> list[list[str]]:
    """Give the steps of one dbt Cloud run for each month of a range."""
    return [
        [f"dbt build --select {models} --vars '{{month: {month}}}'"]
        for month in months_between(first, last)
    ]


def _number(month: str) -> int:
    year, month_of_year = month.split("-")
    return int(year) * 12 + int(month_of_year) - 1
