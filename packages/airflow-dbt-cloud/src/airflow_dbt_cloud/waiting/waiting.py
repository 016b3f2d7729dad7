"""Wait for a dbt Cloud run in the worker itself, showing its log as it grows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.runs_api import Run, RunsApi
from airflow_dbt_cloud.waiting.pacing import SAMPLE, seconds_until_next_look, usual_seconds
from dbt_cloud_api.run_status import RunStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    How to wait. `pause` sleeps, and raises when the task is told to stop.

    `show` is given each look, which has the steps with it: the log costs no call of its own.
    `search` looks for runs that may appear beside it, which a task may have to do until a moment
    after the end of its own.
    """

    api: RunsApi
    longest: float
    deadline: float
    pause: Callable[[float], object]
    show: Callable[[Run], object]
    warn: Callable[[str], object]
    search: Callable[[], object] = lambda: None
    search_until: float = 0.0
    clock: Callable[[], float] = time.time

    def until_ended(self, run_id: int, job_id: int, created_at: float) -> Run:
        """Give the run when it has ended; raise `TimeoutError`, or what waiting cannot cure."""
        usual = self._usual_seconds(job_id)
        while True:
            run = self._look(run_id)
            now = self.clock()
            if run is not None and RunStatus(run["status"]).is_final:
                if now >= min(self.search_until, self.deadline):
                    return run
            elif now >= self.deadline:
                raise TimeoutError(f"Run {run_id} has not ended before the task's timeout.")
            pause = seconds_until_next_look(now - created_at, usual, self.longest)
            self.pause(min(pause, self.deadline - now))

    def _look(self, run_id: int) -> Run | None:
        """None when dbt Cloud is away: what passes is waited for, until time is up."""
        try:
            self.search()
            run = self.api.run(run_id, "run_steps")
        except DbtCloudApiError as error:
            if not error.is_passing:
                raise
            self.warn(f"{error}. Still waiting for run {run_id}.")
            return None
        self.show(run)
        return run

    def _usual_seconds(self, job_id: int) -> float | None:
        try:
            successes = self.api.newest_runs(
                0, job_definition_id=job_id, status=int(RunStatus.SUCCESS), limit=SAMPLE
            )
        except DbtCloudApiError:
            return None
        return usual_seconds(successes)
