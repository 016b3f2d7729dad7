"""
When to look at a run again, and how long to wait when dbt Cloud is busy or away.

Pure functions of time, so that both the worker and the triggerer keep the same pace.
"""

import random
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
LONGEST_BACKOFF = 60.0
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


def backoff(failures: int, retry_after: float | None = None) -> float:
    """
    Choose the pause after so many failures in a row: doubled each time, and never the same twice.

    The jitter keeps a hundred tasks from coming back in the same instant. What dbt Cloud asks for
    with `Retry-After` is kept, and never shortened.
    """
    pause = min(2.0 ** min(failures - 1, 10), LONGEST_BACKOFF)
    jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311 # not a secret
    return jittered if retry_after is None else retry_after + jittered / 2


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
