"""
When to look at a run again.

Pure functions of time, so that both the worker and the triggerer keep the same pace.
"""

import statistics
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


SHORTEST = 0.5
# A look every tenth of the time that has passed delays the end of a run by a tenth at the most.
SHARE = 0.1
# Of a job's usual time: from here until there its end is expected.
EXPECTED_FROM, EXPECTED_UNTIL = 0.9, 1.15
SHARE_BEFORE_EXPECTED = 0.25
SHARE_WHEN_EXPECTED = 0.02
SAMPLE = 10


def seconds_until_next_look(elapsed: float, usual: float | None, longest: float) -> float:
    """
    Pace the looks at a run: quick at first and near the usual end of its job, slower between.

    `elapsed` is the run's age. Without a `usual` time, the pace slows down with age alone.
    """
    if not usual or usual * (EXPECTED_FROM - SHARE) < SHORTEST:
        return _within(elapsed * SHARE, longest)
    begin, end = usual * EXPECTED_FROM, usual * EXPECTED_UNTIL
    if elapsed < begin:
        # Never step over the moment from which the end is expected.
        pause = _within(elapsed * SHARE_BEFORE_EXPECTED, longest)
        return min(pause, max(begin - elapsed, SHORTEST))
    if elapsed < end:
        return _within(usual * SHARE_WHEN_EXPECTED, longest)
    return _within((elapsed - end) * SHARE, longest)


def _within(seconds: float, longest: float) -> float:
    return min(max(seconds, SHORTEST), max(longest, SHORTEST))


def usual_seconds(runs: Iterable[Mapping[str, Any]]) -> float | None:
    """Take the median time, from trigger to end, of a job's runs as the API lists them."""
    times = [
        (_moment(run["finished_at"]) - _moment(run["created_at"])).total_seconds()
        for run in runs
        if run.get("finished_at") and run.get("created_at")
    ]
    return statistics.median(times[:SAMPLE]) if times else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
