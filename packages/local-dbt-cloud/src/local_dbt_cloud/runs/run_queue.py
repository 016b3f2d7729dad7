"""
Which run may start now: one at a time per job, and no more than the account has slots.

Nothing polls: the queue looks when a run is added and when one ends.
"""

import logging
import shutil
import threading
import time
from typing import Any

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.dbt.dbt_installations import DbtInstallations
from local_dbt_cloud.dbt.dbt_process import SECONDS_TO_STOP
from local_dbt_cloud.runs.ci_runs import is_ci, lane
from local_dbt_cloud.runs.run_controls import RunControls
from local_dbt_cloud.runs.run_execution import RunExecution
from local_dbt_cloud.runs.run_folder import RunFolder
from local_dbt_cloud.runs.run_plan import CANCELLED, SERVER_STOPPED, UNDECLARED, End
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.store import Run, Store
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.timestamps import now


LOG = logging.getLogger("local_dbt_cloud")
INTERRUPTED = "The local dbt Cloud's server died while the run was in progress."


class RunQueue:
    def __init__(
        self,
        settings: ServerSettings,
        account: Account,
        store: Store,
        controls: RunControls | None = None,
    ) -> None:
        self.settings, self.account, self.store = settings, account, store
        self.controls = controls or RunControls()
        self.installations = DbtInstallations(settings)
        self.lock = threading.RLock()
        self.executions: dict[int, RunExecution] = {}
        self.threads: dict[int, threading.Thread] = {}
        self.is_open = False

    def open(self) -> None:
        """Take up what an earlier server left: runs in progress are over, queued ones go on."""
        for run_id in self.store.end_interrupted_runs(INTERRUPTED):
            LOG.info("run %s ended: %s", run_id, INTERRUPTED)
        self.is_open = True
        if not self.settings.simulated:
            load = self.installations.own.load
            threading.Thread(target=load, name="load-dbt", daemon=True).start()
        self.look_again()

    def close(self) -> None:
        """As `stop`, and for good. Queued runs stay queued for the next server."""
        self.stop()
        self.installations.close()

    def stop(self) -> None:
        """End what runs, within seconds; nothing starts before `open`."""
        with self.lock:
            self.is_open = False
            executions = list(self.executions.values())
            threads = list(self.threads.values())
        for execution in executions:
            execution.stop(SERVER_STOPPED)
        deadline = time.monotonic() + SECONDS_TO_STOP + 0.5
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def add(self, **values: Any) -> Run:
        """Queue a run; answer it as it was queued, even when it starts at once."""
        with self.lock:
            run = self.store.add_run(**values)
            self._prepare_retry(run)
            LOG.info("run %s of job %s queued", run.id, run.job_id)
            self.look_again()
        return run

    def cancel(self, run: Run) -> None:
        """A run that has ended stays as it is."""
        self.end(run, CANCELLED)

    def end(self, run: Run, end: End) -> None:
        """End a run now, whether it waits or runs; one that has ended stays as it is."""
        with self.lock:
            execution = self.executions.get(run.id)
            if execution is None:
                self._end_without_start(run, end)
        if execution is not None:
            execution.stop(end)
        self.look_again()

    def look_again(self) -> None:
        """Start every run that may start now."""
        with self.lock:
            if not self.is_open:
                return
            busy = {lane(execution.run) for execution in self.executions.values()}
            for run in self.store.unfinished_runs():
                if run.id in self.executions or lane(run) in busy:
                    continue
                busy.add(lane(run))
                if self._has_slot_for(run) and self.controls.may_start(run):
                    self._start(run)

    def blocked_by(self, run: Run, unfinished: list[Run]) -> list[int]:
        """The runs in front of a queued one: of its job, or, with no slot free, those that run."""
        if run.status is not RunStatus.QUEUED:
            return []
        same_lane = [other.id for other in unfinished if lane(other) == lane(run)]
        in_front = [run_id for run_id in same_lane if run_id < run.id]
        active = [o.id for o in unfinished if o.status is not RunStatus.QUEUED and not is_ci(o)]
        full = len(active) >= self.account.declared.run_slots and not is_ci(run)
        return in_front or (active if full else [])

    def _has_slot_for(self, run: Run) -> bool:
        taken = sum(not is_ci(execution.run) for execution in self.executions.values())
        return is_ci(run) or taken < self.account.declared.run_slots

    def _prepare_retry(self, run: Run) -> None:
        failed = run.retrying_run_id and self.store.find_run(run.retrying_run_id)
        if not failed:
            return
        runs = self.settings.state / "runs"
        left, folder = RunFolder(runs / str(failed.id)), RunFolder(runs / str(run.id))
        for name in ("run_results.json", "manifest.json"):
            path = left.find_artifact(name, failed_step_index(self.store, failed))
            if path is not None:
                folder.state.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, folder.state)

    def _start(self, run: Run) -> None:
        moment = now()
        if run.status is not RunStatus.QUEUED or not self.store.update_run(
            run.id, status=RunStatus.STARTING, dequeued_at=moment
        ):
            return
        try:
            execution = RunExecution(
                run, self.settings, self.account, self.store, self.controls, self.installations
            )
        except (LookupError, NotFoundError):
            # Queued before a restart, and dbt_cloud_jobs.yml has changed since.
            self._end_without_start(run, UNDECLARED)
            return
        self.executions[run.id] = execution
        self.threads[run.id] = execution.start(self._forget)

    def _end_without_start(self, run: Run, end: End) -> None:
        ended = {"status": end.status, "status_message": end.message, "finished_at": now()}
        if self.store.update_run(run.id, **ended):
            LOG.info("run %s ended: %s", run.id, end.message)

    def _forget(self, run_id: int) -> None:
        with self.lock:
            del self.executions[run_id], self.threads[run_id]
        self.look_again()


def failed_step_index(store: Store, run: Run) -> int | None:
    """The number of the step whose command failed."""
    failed = [
        step.index
        for step in store.list_steps([run.id])[run.id]
        if step.status is RunStatus.ERROR and step.command in run.commands
    ]
    return failed[-1] if failed else None
