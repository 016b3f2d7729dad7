"""
Find the run of a request that was given up, and that the network has delivered all the same.

It bears the key of the task and is younger than the run that the task follows. Nobody asks for it
unless a trigger of the task was never answered, which is seldom.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from airflow_dbt_cloud.calls.api_errors import RequestRefusedError
from airflow_dbt_cloud.calls.runs_api import Run, RunsApi, cause_in, newest_first
from airflow_dbt_cloud.one_run.cause import RunKey
from dbt_cloud_api.run_status import RunStatus


# A connection that was given up may still be emptied: Linux goes on sending for a hundred seconds.
TIME_LIMITS_UNTIL_NOTHING_COMES = 4
SECONDS_BETWEEN_SEARCHES = 10.0


@dataclass(frozen=True, slots=True)
class LateRuns:
    """
    What to look for: runs of the task that are younger than `run_id`, the one it follows.

    They are of the key's generation or of one before it. A later one is none of this try's
    business: if there is one, the task was cleared, and the try is dead and does not know it.
    `until` is the moment, in seconds since 1970, before which a task does not end: a run that
    comes when nobody looks any more would go unnoticed.
    """

    key: RunKey
    job_id: int
    run_id: int
    until: float

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any] | None) -> Self | None:
        if not stored:
            return None
        return cls(**{**stored, "key": RunKey(**stored["key"])})

    def as_stored(self) -> dict[str, Any]:
        return asdict(self)

    def among(self, runs: Iterable[Run]) -> list[Run]:
        """Pick the late ones, the oldest first. The runs need their `trigger`."""
        found = [
            run for run in runs if run["id"] > self.run_id and self.key.is_or_was_in(cause_in(run))
        ]
        return sorted(found, key=lambda run: int(run["id"]))

    def why_cancelled(self, run: Run) -> str:
        return (
            f"Cancelling dbt Cloud run {run['id']}: a request that was given up has started it "
            f"beside run {self.run_id}, which counts. {run['href']}"
        )

    def why_told(self, runs: Iterable[Run], link: str) -> str:
        """Name all of them, and the one followed: what they have written may be there twice."""
        others = ", ".join(
            f"{run['id']} ({run['status_humanized']}, {run['href']})" for run in runs
        )
        return (
            f"dbt Cloud has run this more than once. Run {self.run_id} counts ({link}). Beside it "
            f"has ended what a request has started that the network delivered late: run {others}. "
            "See whether a model has written its rows twice."
        )


@dataclass
class LateRunSearch:
    """The search of a worker; the triggerer's is in `waiting/run_poller.py`."""

    api: RunsApi
    late: LateRuns
    log: logging.Logger
    clock: Callable[[], float] = time.time
    due_at: float = field(default=0.0, init=False)

    def look(self) -> None:
        """Cancel what goes on, once in a while however often this is called."""
        now = self.clock()
        if now >= self.due_at:
            self.due_at = now + SECONDS_BETWEEN_SEARCHES
            self.settle()

    def settle(self) -> list[Run]:
        """Cancel what goes on; give what had ended by itself, which nothing can undo."""
        younger = itertools.takewhile(
            lambda run: run["id"] > self.late.run_id, newest_first(self.api, self.late.job_id)
        )
        ended = []
        for run in self.late.among(younger):
            status = RunStatus(run["status"])
            if not status.is_final:
                self._cancel(run)
            elif status is not RunStatus.CANCELLED:
                ended.append(run)
        return ended

    def _cancel(self, run: Run) -> None:
        self.log.warning("%s", self.late.why_cancelled(run))
        try:
            self.api.cancel(run["id"])
        except RequestRefusedError as error:
            self.log.warning("%s. It has ended by itself meanwhile.", error)
