"""Jobs that run when another job's run has ended."""

import logging
from typing import Any

from sqlalchemy import Connection

from dbt_cloud_api.run_status import FINAL
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.store.store import Job, Run
from local_dbt_cloud.store.stored_jobs import to_job


LOG = logging.getLogger("local_dbt_cloud")


class JobCompletion:
    """
    Listens to the store.

    The run that follows is queued in the transaction that ends the one before it: whatever dies at
    whatever moment, there is one.
    """

    def __init__(self, new_runs: NewRuns) -> None:
        self.new_runs = new_runs
        self.has_queued = False

    def note(self, transaction: Connection, run: Run) -> None:
        if not run.status.is_final:
            return
        for job in map(to_job, self.new_runs.store.jobs.active()):
            if not waits_for(job, run):
                continue
            if self.new_runs.queue_is_full():
                LOG.warning("job %s was not queued: the queue is full", job.id)
                continue
            self.new_runs.follow(transaction, job, run)
            self.has_queued = True

    def committed(self) -> None:
        if self.has_queued:
            self.has_queued = False
            self.new_runs.queue.look_again()


def waits_for(job: Job, run: Run) -> bool:
    """A job that names itself would never stop."""
    whole: dict[str, Any] = job.definition["job_completion_trigger_condition"] or {}
    condition = whole.get("condition") or {}
    return (
        job.id != run.job_id == condition.get("job_id")
        and condition.get("project_id") in {None, run.project_id}
        and run.status in (condition.get("statuses") or FINAL)
    )
