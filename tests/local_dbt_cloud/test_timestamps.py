"""Dates and spans as dbt Cloud writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from local_dbt_cloud.timestamps import clock_duration, humanized, iso, seconds_between, spaced


MOMENT = datetime(2024, 7, 3, 13, 59, tzinfo=UTC)


def test_two_formats():
    """A space for runs and v3, a T for v2 jobs; always six digits behind the second."""
    assert spaced(MOMENT) == "2024-07-03 13:59:00.000000+00:00"
    assert iso(MOMENT) == "2024-07-03T13:59:00.000000Z"
    assert spaced(None) is iso(None) is None


@pytest.mark.parametrize(
    ("seconds", "clock", "words"),
    [
        (0, "00:00:00", "0 minutes"),
        (1, "00:00:01", "1 second"),
        (12, "00:00:12", "12 seconds"),
        (110, "00:01:50", "1 minute, 50 seconds"),
        (120, "00:02:00", "2 minutes"),
        (86400, "24:00:00", "1 day"),
        (86436, "24:00:36", "1 day"),
        (15 * 86400, "360:00:00", "2 weeks, 1 day"),
    ],
)
def test_spans(seconds, clock, words):
    """The recorded pairs: hours do not wrap, words stop after two neighbouring units."""
    assert clock_duration(seconds) == clock
    assert humanized(seconds) == words


def test_seconds_are_rounded_down():
    """Less than a second is nothing; a missing end is nothing."""
    assert seconds_between(MOMENT, MOMENT + timedelta(seconds=1.99)) == 1
    assert seconds_between(MOMENT, None) == 0
