"""Dates and spans as dbt Cloud writes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local_dbt_cloud.store.store import Store
from local_dbt_cloud.views.run_views import duration_fields
from local_dbt_cloud.wire.timestamps import clock_duration, humanized, iso, seconds_between, spaced


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


@pytest.mark.parametrize(
    ("started_at", "finished_at", "moment", "words"),
    [
        # As recorded: cancelled while it waited, 2022.
        (None, "09:58:22.867735", "10:00:00", ("9 seconds", "9 seconds", "0 minutes")),
        # As recorded: still waiting, 2024.
        (None, None, "10:55:01.2", ("56 minutes, 48 seconds",) * 2 + ("0 minutes",)),
        ("09:58:15", None, "09:58:20", ("6 seconds", "1 second", "5 seconds")),
        ("09:58:15", "09:58:18", "11:00:00", ("4 seconds", "1 second", "3 seconds")),
    ],
)
def test_spans_of_a_run(tmp_path, started_at, finished_at, moment, words):
    """In all, queued, running: a run that never started has been queued all the time."""
    store = Store(tmp_path / "dbt_cloud.sqlite")
    values = {"job_id": 1, "project_id": 1, "environment_id": 1, "dbt_version": "", "trigger": {}}
    new = store.add_run(**values, cause_category="api", commands=[])
    store.close()
    run = replace(
        new,
        created_at=at("09:58:13.138036"),
        started_at=started_at and at(started_at),
        finished_at=finished_at and at(finished_at),
    )
    fields = duration_fields(run, at(moment))

    names = ("duration", "queued_duration", "run_duration")
    assert tuple(fields[f"{name}_humanized"] for name in names) == words


def at(time):
    return datetime.fromisoformat(f"2022-03-14 {time}+00:00")
