"""
Exactly one dbt Cloud run for each generation of a task, whatever died before.

Three things make it so. The intention to trigger is written down before the request, and the run
after it. Every run carries the key of its generation in its cause. And a request whose answer was
lost is followed by a search for what it may have started, never by the same request again.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_dbt_cloud.calls.api_errors import (
    DbtCloudApiError,
    MissingError,
    RequestRefusedError,
)
from airflow_dbt_cloud.calls.runs_api import Run, RunsApi, cause_in, newest_first
from airflow_dbt_cloud.one_run.late_runs import TIME_LIMITS_UNTIL_NOTHING_COMES, LateRuns
from airflow_dbt_cloud.one_run.task_memory import Generation, Pending, TaskMemory
from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.trigger_fields import OVERRIDE_FIELDS


# How long a run may take to appear whose trigger was not answered, in steps.
PAUSES_UNTIL_FOUND = (1.0, 2.0, 4.0, 8.0, 15.0)
MOST_TRIGGERS = 3
# A clock may have been put right since the dag_run began; how far it is off now is known.
CLOCK_CHANGES = timedelta(minutes=10)


class TaskStoppedError(Exception):
    """Airflow ended the task while it was at work."""


class TriggerLostError(Exception):
    """dbt Cloud never answered a trigger, and no run of it has appeared."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the task wants to run. `overrides` is the body of the trigger, without the cause."""

    job_id: int
    overrides: dict[str, Any]
    resume: bool


@dataclass
class OneRun:
    """
    Finds, resumes or starts the run of the current generation.

    `cause` is the text for a new run; `is_killed` says whether the task was told to stop, so that
    a run which was being started just then does not outlive it.
    """

    api: RunsApi
    memory: TaskMemory
    request: RunRequest
    cause: str
    log: logging.Logger
    is_killed: Callable[[], bool] = lambda: False
    sleep: Callable[[float], object] = time.sleep
    adopted: bool = field(default=False, init=False)

    def find_or_start(self) -> Run:
        """Answer the one run: active, succeeded, or just started."""
        run = self._find_or_start()
        return run if self.memory.current.repeated_at is None else self._alone(run)

    def late_runs(self, run: Run, time_limit: float) -> LateRuns | None:
        """
        Say which runs may still appear beside the one that is followed; None where none can.

        `time_limit` is how many seconds a request was waited for.
        """
        repeated_at = self.memory.current.repeated_at
        if repeated_at is None:
            return None
        until = repeated_at + TIME_LIMITS_UNTIL_NOTHING_COMES * time_limit
        return LateRuns(self.memory.key, self.request.job_id, run["id"], until)

    def _find_or_start(self) -> Run:
        run = self.newest()
        if run is not None and _counts(run):
            return self._adopt(run)
        failed = run or self._end_of_previous_generation()
        for _ in range(MOST_TRIGGERS):
            started = self._start(failed, newer_than=run["id"] if run else 0)
            if started is not None:
                return started
        raise TriggerLostError(
            f"dbt Cloud answered none of {MOST_TRIGGERS} triggers of job {self.request.job_id}, "
            "and none of them has started a run."
        )

    def newest(self) -> Run | None:
        """Find the newest run of the current generation, whatever has become of it."""
        return self._newest_of(self.memory.current, searching=self.memory.may_have_triggered)

    def _newest_of(self, generation: Generation, *, searching: bool) -> Run | None:
        known = None
        if generation.run_id is not None:
            known = self._read(generation.run_id, generation)
        if not searching or (known is not None and _counts(known)):
            return known
        pending = generation.pending or Pending(None)
        return self._find(generation, generation.run_id or 0, pending) or known

    def _read(self, run_id: int, generation: Generation) -> Run | None:
        """
        Read a run that is remembered, if it is the task's own.

        Behind the Airflow connection may be another account by now, which has a run of this number.
        """
        try:
            run = self.api.run(run_id, "trigger")
        except MissingError:
            self.log.warning("dbt Cloud run %s is not there any more.", run_id)
            return None
        if run.get("retrying_run_id") or self.memory.key_of(generation).is_in(cause_in(run)):
            return run
        self.log.warning("dbt Cloud run %s is somebody else's: is this another account?", run_id)
        return None

    def _find(self, generation: Generation, newer_than: int, pending: Pending) -> Run | None:
        """
        Look for a run of a generation among the job's newest, back to when its dag_run began.

        A run's cause has the key. A retry's cause is dbt Cloud's own, but names what it retries.
        Of several that count, it is the oldest; of those that do not, the newest.
        """
        key = self.memory.key_of(generation)
        found = [
            run
            for run in self._newest_first(generation, newer_than)
            if key.is_in(cause_in(run))
            or (pending.retrying and run.get("retrying_run_id") == pending.retrying)
        ]
        # Of two, the younger was started by a request that the network has delivered late.
        counting = [run for run in found if _counts(run)]
        return counting[-1] if counting else next(iter(found), None)

    def _newest_first(self, generation: Generation, newer_than: int = 0) -> Iterator[Run]:
        return itertools.takewhile(
            lambda run: run["id"] > newer_than and not self._is_too_old(run, generation),
            newest_first(self.api, self.request.job_id),
        )

    def _is_too_old(self, run: Run, generation: Generation) -> bool:
        """Whether a run is of before the dag_run, by dbt Cloud's clock, which wrote its date."""
        if generation.since is None:
            return False
        ahead = timedelta(seconds=self.api.seconds_ahead)
        oldest = datetime.fromisoformat(generation.since) + ahead - CLOCK_CHANGES
        return datetime.fromisoformat(run["created_at"]) < oldest

    def _alone(self, run: Run) -> Run:
        """
        Follow the oldest run of the generation, and end what else goes on of this task.

        A request that had no answer may have come first after all, or one of before a Clear.
        """
        key, current = self.memory.key, self.memory.current
        found = [each for each in self._newest_first(current) if key.is_or_was_in(cause_in(each))]
        counting = [each for each in found if key.is_in(cause_in(each)) and _counts(each)]
        followed = min([run, *counting], key=lambda each: int(each["id"]))
        for each in {each["id"]: each for each in (run, *found)}.values():
            if each["id"] != followed["id"] and not RunStatus(each["status"]).is_final:
                self.log.warning(
                    "Cancelling dbt Cloud run %s beside run %s, which counts: a request that was "
                    "given up has started one of the two.",
                    *(each["id"], followed["id"]),
                )
                self._end(each)
        return run if followed is run else self._adopt(followed)

    def _end_of_previous_generation(self) -> Run | None:
        """
        Take what the task had before it was cleared, to resume it; none of it may go on.

        It goes on only where the Clear could not reach it, for example with no triggerer there.
        """
        previous = self.memory.previous
        if previous is None:
            return None
        run = self._newest_of(previous, searching=previous.pending is not None)
        if run is not None and not RunStatus(run["status"]).is_final:
            self.log.info("Cancelling dbt Cloud run %s: the task has been cleared.", run["id"])
            self._end(run)
            return None
        return run

    def _end(self, run: Run) -> None:
        try:
            self.api.cancel(run["id"])
        except RequestRefusedError as error:
            self.log.info("%s. It has ended by itself meanwhile.", error)

    def _start(self, failed: Run | None, newer_than: int) -> Run | None:
        """Retry or trigger, once; None when no answer came and no run has appeared."""
        if failed is not None and self._can_resume(failed):
            retry = Pending(failed["id"])
            try:
                return self._send(retry, newer_than)
            except RequestRefusedError as error:
                # Also what a retry looks like that an earlier, unanswered request has started.
                found = self._find(self.memory.current, newer_than, retry)
                if found is not None:
                    return self._adopt(found)
                self.log.warning("%s. Starting a new run instead.", error)
        return self._send(Pending(None), newer_than)

    def _can_resume(self, failed: Run) -> bool:
        if not self.request.resume or RunStatus(failed["status"]) is not RunStatus.ERROR:
            return False
        if failed.get("job_definition_id", self.request.job_id) != self.request.job_id:
            self.log.info("Run %s is not resumed: it is of another job.", failed["id"])
            return False
        if not failed.get("can_retry"):
            reason = failed.get("retry_not_supported_reason")
            self.log.info("dbt Cloud cannot resume run %s (%s).", failed["id"], reason)
            return False
        if self._overrides_of(failed) != _given(self.request.overrides):
            self.log.info(
                "Run %s is not resumed: it was triggered with other overrides than this task has "
                "now, and dbt Cloud would use the old ones.",
                failed["id"],
            )
            return False
        return True

    def _overrides_of(self, run: Run) -> dict[str, Any]:
        """Read what a run was triggered with: as remembered, or else as dbt Cloud tells it."""
        for generation in (self.memory.current, self.memory.previous):
            if generation and generation.run_id == run["id"] and generation.overrides is not None:
                return generation.overrides
        trigger = run.get("trigger") or {}
        return _given({name: trigger.get(name) for name in OVERRIDE_FIELDS})

    def _send(self, pending: Pending, newer_than: int) -> Run | None:
        if self.is_killed():
            raise TaskStoppedError("The task was told to stop before it triggered its run.")
        self.memory.about_to_trigger(pending.retrying)
        try:
            if pending.retrying:
                run = self.api.retry(pending.retrying)
            else:
                body = {"cause": self.cause, **self.request.overrides}
                run = self.api.trigger(self.request.job_id, body)
        except DbtCloudApiError as error:
            if not error.may_have_acted:
                raise
            self.log.warning("%s. Looking for the run that it may have started.", error)
            found = self._wait_for(newer_than, pending)
            return None if found is None else self._adopt(found)
        self.memory.triggered(run["id"], _given(self.request.overrides))
        how = f"resumes run {pending.retrying} where it failed" if pending.retrying else "started"
        self.log.info("dbt Cloud run %s %s: %s", run["id"], how, run["href"])
        return run

    def _adopt(self, run: Run) -> Run:
        self.adopted = True
        self.log.info("dbt Cloud run %s is this task's own: going on with it.", run["id"])
        self.memory.triggered(run["id"], _given(self.request.overrides))
        return run

    def _wait_for(self, newer_than: int, pending: Pending) -> Run | None:
        for pause in PAUSES_UNTIL_FOUND:
            try:
                self.sleep(pause)
            except TaskStoppedError:
                found = self._find(self.memory.current, newer_than, pending)
                if found is not None:
                    self.api.cancel(found["id"])
                raise
            found = self._find(self.memory.current, newer_than, pending)
            if found is not None:
                return found
        return None


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if value is not None}


def _counts(run: Run) -> bool:
    """Whether the run is the result of its generation, or will be."""
    return RunStatus(run["status"]) not in {RunStatus.ERROR, RunStatus.CANCELLED}
