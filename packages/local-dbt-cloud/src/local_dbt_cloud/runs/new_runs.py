"""How a run comes to be: triggered, resumed, due by a schedule, or behind another job's run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.trigger_fields import TRIGGER_FIELDS
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.runs.ci_runs import CATEGORY, SUPERSEDED, is_ci, lane, pull_request_id
from local_dbt_cloud.runs.run_plan import RETRY
from local_dbt_cloud.runs.run_queue import RunQueue
from local_dbt_cloud.store.store import Job, Run, Store
from local_dbt_cloud.wire.errors import InvalidRequestError


class NewRuns:
    def __init__(self, account: Account, store: Store, queue: RunQueue) -> None:
        self.account, self.store, self.queue = account, store, queue

    def trigger(self, job: Job, overrides: Mapping[str, Any]) -> Run:
        """Never refused for a full queue: only what the server starts by itself is."""
        cause = overrides.get("cause") or "Triggered via API"
        is_for_ci = job.definition["job_type"] == "ci" and pull_request_id(overrides) is not None
        said = {**overrides, "cause": cause}
        run = self.queue.add(**self._values(job, said, CATEGORY if is_for_ci else "api"))
        if is_for_ci:
            self._end_older(run)
        return run

    def schedule(self, job: Job, tick: datetime) -> Run:
        values = self._values(job, {"cause": "scheduled"}, "scheduled")
        return self.queue.add(**values, scheduled_for=tick)

    def follow(self, transaction: Connection, job: Job, completed: Run) -> None:
        """Queue a run of a job because a run of another one has ended."""
        cause = f"Triggered by completion of run {completed.id}"
        values = self._values(job, {"cause": cause}, "job completion")
        self.store.add_run_within(transaction, **values)

    def rerun(self, job: Job, cause: str | None) -> Run:
        """Resume the job's latest run where it failed; start a new one when that cannot be."""
        with self.queue.lock:
            latest_id = self.store.latest_run_ids([job.id]).get(job.id)
            latest = latest_id and self.store.find_run(latest_id)
            if latest and why_not_retried(latest, latest.id) is None:
                return self._resume(latest, cause)
            return self.trigger(job, {"cause": cause})

    def retry(self, failed: Run) -> Run:
        """Of two requests at once, one finds that the run is not the latest any more."""
        with self.queue.lock:
            latest_ids = self.store.latest_run_ids([failed.job_id])
            reason = why_not_retried(failed, latest_ids.get(failed.job_id, failed.id))
            if reason is not None:
                raise InvalidRequestError(retry_not_supported_reason=reason)
            return self._resume(failed)

    def _resume(self, failed: Run, cause: str | None = None) -> Run:
        """The commands that succeeded are not repeated; overrides of the failed run still count."""
        words = cause or f"Resumed run {failed.id} from its failed step"
        return self.queue.add(
            job_id=failed.job_id,
            project_id=failed.project_id,
            environment_id=failed.environment_id,
            dbt_version=failed.dbt_version,
            trigger=failed.trigger | {"cause": words},
            cause_category="rerun",
            commands=[RETRY, *skipped_commands(failed)],
            retrying_run_id=failed.id,
            deferring_run_id=failed.deferring_run_id,
            is_ci=is_ci(failed),
        )

    def queue_is_full(self) -> bool:
        waiting = [r for r in self.store.unfinished_runs() if r.status is RunStatus.QUEUED]
        return len(waiting) >= self.account.declared.queue_limit

    def _end_older(self, run: Run) -> None:
        """A new commit makes what runs for the older ones of its pull request needless."""
        for other in self.store.unfinished_runs():
            if lane(other) == lane(run) and other.id < run.id:
                self.queue.end(other, SUPERSEDED)

    def _values(self, job: Job, said: Mapping[str, Any], category: str) -> dict[str, Any]:
        environment = self.account.environment(job.environment_id)
        version = job.definition["dbt_version"] or environment.dbt_version
        commands: Sequence[str] = said.get("steps_override") or job.definition["execute_steps"]
        return {
            "job_id": job.id,
            "project_id": job.project_id,
            "environment_id": job.environment_id,
            "dbt_version": said.get("dbt_version_override") or version,
            # What is not said is None.
            "trigger": {name: said.get(name) for name in TRIGGER_FIELDS},
            "cause_category": category,
            "commands": list(commands),
        }


def skipped_commands(failed: Run) -> list[str]:
    """Those behind the one that failed."""
    return failed.commands[(failed.failed_command or 0) + 1 :]


def why_not_retried(run: Run, latest_run_id: int) -> str | None:
    """None when the run can be resumed; else dbt Cloud's code."""
    if run.status is not RunStatus.ERROR:
        return "RETRY_NOT_FAILED_RUN"
    if run.id != latest_run_id:
        return "RETRY_NOT_LATEST_RUN"
    if run.failed_command is None:
        return run.retry_not_supported_reason or "RETRY_NO_RUN_RESULTS"
    return run.retry_not_supported_reason
