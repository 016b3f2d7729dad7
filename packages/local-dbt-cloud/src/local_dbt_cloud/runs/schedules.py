"""
Starts the runs of scheduled jobs: cron in UTC, each tick once, also over a restart.

What keeps a tick from firing twice is the store: a run remembers the tick that it is for, and no
two runs of a job may be for the same one.
"""

import logging
import threading
from datetime import datetime, timedelta

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.runs.run_plan import End
from local_dbt_cloud.store.store import Job, Store
from local_dbt_cloud.wire.cron import latest_tick, next_tick
from local_dbt_cloud.wire.timestamps import now


LOG = logging.getLogger("local_dbt_cloud")
# A tick that passed while the server was restarted is made up for. One that passed while the
# laptop was closed for the night is not: nobody wants all jobs at once in the morning.
GRACE = timedelta(minutes=10)
# Waiting is for the wall clock, which may be set, and sleeps with the laptop.
LONGEST_WAIT_SECONDS = 20.0
CAUSE = "scheduled"
OVERTAKEN = End(
    RunStatus.CANCELLED,
    "This run was cancelled because a newer scheduled run of the job was queued: "
    "the job takes longer than the time between two runs of its schedule.",
)


class Scheduler:
    """One thread that sleeps until the next tick of any job."""

    def __init__(self, store: Store, new_runs: NewRuns) -> None:
        self.store, self.new_runs = store, new_runs
        self.changed = threading.Condition()
        self.is_open = False
        self.thread = threading.Thread(target=self._work, name="scheduler", daemon=True)

    def open(self) -> None:
        self.is_open = True
        self.thread.start()

    def close(self) -> None:
        with self.changed:
            self.is_open = False
            self.changed.notify()
        self.thread.join()

    def look_again(self) -> None:
        """To be called when the clock or a job's schedule has changed."""
        with self.changed:
            self.changed.notify()

    def _work(self) -> None:
        with self.changed:
            while self.is_open:
                try:
                    wait = self._start_what_is_due()
                except Exception:
                    LOG.exception("the scheduler failed; it tries again")
                    wait = LONGEST_WAIT_SECONDS
                self.changed.wait(wait)

    def _start_what_is_due(self) -> float:
        """Answer how many seconds to wait before the next look."""
        moment = now()
        ticks = []
        for job in self.store.scheduled_jobs():
            cron = job.definition["schedule"]["cron"]
            tick = latest_tick(cron, moment)
            if self._is_due(job, tick, moment):
                self._fire(job, tick)
            ticks.append(next_tick(cron, moment))
        if not ticks:
            return LONGEST_WAIT_SECONDS
        return min(max((min(ticks) - now()).total_seconds(), 0), LONGEST_WAIT_SECONDS)

    def _is_due(self, job: Job, tick: datetime, moment: datetime) -> bool:
        if tick <= max(job.updated_at, moment - GRACE):
            return False
        fired = self.store.latest_scheduled_for(job.id)
        return fired is None or tick > fired

    def _fire(self, job: Job, tick: datetime) -> None:
        if self.new_runs.queue_is_full():
            LOG.warning("job %s was not queued at %s: the queue is full", job.id, tick)
            return
        run = self.new_runs.schedule(job, tick)
        for waiting in self.store.unfinished_runs():
            overtaken = waiting.cause_category == CAUSE and waiting.id < run.id
            if waiting.job_id == job.id and waiting.status is RunStatus.QUEUED and overtaken:
                self.new_runs.queue.end(waiting, OVERTAKEN)
