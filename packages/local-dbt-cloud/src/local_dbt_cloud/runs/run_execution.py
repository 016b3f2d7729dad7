"""One run, from "picked up" to its end: step after step in a thread of its own."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from dbt_cloud_api.dbt_commands import CommandRefusedError, allowed_command, step_name
from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.account.run_variables import effective_variables
from local_dbt_cloud.dbt.dbt_installations import DbtInstallations
from local_dbt_cloud.dbt.dbt_process import (
    Invocation,
    inherited_process_env,
    proxies_for_packages,
)
from local_dbt_cloud.dbt.git_repository import Git
from local_dbt_cloud.dbt.project_files import OutsideError, check_project
from local_dbt_cloud.runs.deferral import copy_state, deferral_process_env, find_deferred_run
from local_dbt_cloud.runs.run_controls import RunControls, StandIn, StepAhead
from local_dbt_cloud.runs.run_environment import dbt_settings, describe_run
from local_dbt_cloud.runs.run_failure import explain_failure
from local_dbt_cloud.runs.run_folder import RunFolder, read_log
from local_dbt_cloud.runs.run_plan import (
    DEPS,
    RETRY,
    SERVER_FAILED,
    End,
    Planned,
    plan,
    timed_out,
    why_no_retry,
)
from local_dbt_cloud.runs.run_preparation import CLONE, Log, PreparationError, RunPreparation
from local_dbt_cloud.runs.run_programs import KilledError, RunPrograms
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.store import Run, Store
from local_dbt_cloud.wire.timestamps import now


LOG = logging.getLogger("local_dbt_cloud")
ACCOUNT_LIMIT_SECONDS = 86400
# How a step ends that could not go on, whoever's doing it was. It has not failed: the step of a run
# in an error is taken for what the project did wrong.
CUT_SHORT = RunStatus.CANCELLED


class StepFailedError(Exception):
    """Ends the run as an error; the text becomes its `status_message`."""


@dataclass(frozen=True, slots=True)
class Step:
    """`work` answers whether it succeeded, and raises what ends the run with a reason."""

    name: str
    work: Callable[[], bool]
    planned: Planned | None = None

    @property
    def command(self) -> str | None:
        return self.planned.command if self.planned else None


class RunExecution:
    def __init__(
        self,
        run: Run,
        settings: ServerSettings,
        account: Account,
        store: Store,
        controls: RunControls,
        installations: DbtInstallations,
    ) -> None:
        self.run, self.settings, self.account, self.store = run, settings, account, store
        self.controls = controls
        job = store.find_job(run.job_id)
        if job is None:
            raise LookupError(run.job_id)
        self.job = job.definition
        self.folder = RunFolder(settings.state / "runs" / str(run.id))
        self.parsed = settings.state / "parsed" / f"{run.job_id}.msgpack"
        self.index = 0
        self.step_id: int | None = None
        self.lock = threading.Lock()
        self.end: End | None = None
        self.ended = threading.Event()
        self.programs = RunPrograms(installations, self.ended)
        git = Git(self.programs.run_git, self.ended)
        self.preparation = RunPreparation(run, job, self.folder, settings, account, git)

    def start(self, when_done: Callable[[int], None]) -> threading.Thread:
        thread = threading.Thread(
            target=self._run, args=(when_done,), name=f"run-{self.run.id}", daemon=True
        )
        thread.start()
        return thread

    def stop(self, end: End) -> None:
        """End the run as told, now; dbt follows within seconds. The first end counts."""
        with self.lock:
            if self.end is None:
                self.end = end
                if self.step_id is not None:  # nobody sees it run in a run that is over
                    self.store.end_step(self.step_id, CUT_SHORT)
                self._finish(end)
                self.ended.set()
        self.programs.stop()

    def _run(self, when_done: Callable[[int], None]) -> None:
        timeout = self._start_timeout()
        try:
            self.store.update_run(self.run.id, status=RunStatus.RUNNING, started_at=now())
            self._finish(self._execute())
        except Exception:
            LOG.exception("run %s failed in the server", self.run.id)
            self._finish(SERVER_FAILED)
        finally:
            timeout.cancel()
            when_done(self.run.id)

    def _start_timeout(self) -> threading.Timer:
        override = self.run.trigger["timeout_seconds_override"]
        limit = self.job["execution"]["timeout_seconds"] if override is None else override
        seconds = limit or ACCOUNT_LIMIT_SECONDS
        timer = threading.Timer(seconds, self.stop, [timed_out(seconds)])
        timer.daemon = True
        timer.start()
        return timer

    def _execute(self) -> End:
        try:
            for step in self._steps():
                self._take(step)
        except StepFailedError as failure:
            return self.end or End(RunStatus.ERROR, str(failure))
        except KilledError as killed:
            return self.end or End(RunStatus.ERROR, f"{killed}.")
        return self.end or End(RunStatus.SUCCESS, None)

    def _finish(self, end: End) -> None:
        changed = self.store.update_run(
            self.run.id,
            status=end.status,
            status_message=end.message,
            finished_at=now(),
            artifacts_saved=bool(self.folder.kept_steps()),
        )
        if changed:
            LOG.info("run %s ended: %s", self.run.id, end.message or end.status.humanized)

    # The steps

    def _steps(self) -> Iterator[Step]:
        preparation = self.preparation
        yield self._own_step(CLONE, partial(preparation.clone, self.store))
        yield self._own_step(preparation.profile_step, self._write_profile)
        for planned in plan(self.run, self.job):
            work = partial(self._invoke, planned.command)
            yield Step(step_name(planned.command), work, planned)

    def _own_step(self, name: str, work: Callable[[Log], None]) -> Step:
        def do() -> bool:
            try:
                work(self._log)
            except PreparationError as error:
                self._log(f"fatal: {error}")
                raise StepFailedError(f"{name}: {error}") from error
            return True

        return Step(name, do)

    def _write_profile(self, log: Log) -> None:
        self.folder.take_parsed(self.parsed)
        wanted = self.preparation.write_profile(log)
        if not self.settings.simulated:
            self.programs.choose_dbt(wanted, log, self.folder.console_log(self.index))
        self._defer(log)

    def _defer(self, log: Log) -> None:
        runs = self.folder.path.parent
        deferred = find_deferred_run(self.run, self.job, self.store, runs)
        if deferred is not None:
            copy_state(deferred, runs, self.folder.deferred)
            self.store.update_run(self.run.id, deferring_run_id=deferred.id)
            log(f"Deferring to run {deferred.id}")

    def _take(self, step: Step) -> None:
        instead = self._ask_controls(step)
        self.index += 1
        folder = self.folder.step(self.index)
        folder.mkdir(parents=True, exist_ok=True)
        # By the clock of the file system: it may be milliseconds, or a second, behind ours.
        started = folder.stat().st_mtime
        self.step_id = self.store.add_step(self.run.id, self.index, step.name, step.command).id
        status = CUT_SHORT
        try:
            succeeded = self._stand_in(instead) if instead else step.work()
            status = RunStatus.SUCCESS if succeeded else RunStatus.ERROR
        except StepFailedError:
            status = RunStatus.ERROR
            raise
        finally:
            if step.planned or instead:
                self._keep_artifacts(started)
            self.store.end_step(self.step_id, CUT_SHORT if self.end else status)
        self._raise_if_over()
        if not succeeded:
            self._fail(step)

    def _ask_controls(self, step: Step) -> StandIn | None:
        self._raise_if_over()
        is_of_job = step.planned is not None and step.planned.number is not None
        ahead = StepAhead(self.index + 1, step.name, step.command, is_of_job)
        answer = self.controls.before_step(self.run, ahead, self.ended)
        if isinstance(answer, End):
            self.stop(answer)
            answer = None
        self._raise_if_over()
        return answer

    def _stand_in(self, stand_in: StandIn) -> bool:
        self._log(stand_in.log)
        for name, content in stand_in.artifacts.items():
            path = self.folder.target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return stand_in.succeeded

    def _raise_if_over(self) -> None:
        if self.end is not None:
            raise StepFailedError

    def _fail(self, step: Step) -> None:
        console = read_log(self.folder.console_log(self.index))
        why = explain_failure(self.folder.run_results(self.index), console)
        if step.planned is None:
            raise StepFailedError(f"{step.name}: {why}")
        if not step.planned.required:
            return
        has_results = self.folder.find_artifact("run_results.json", self.index) is not None
        self.store.update_run(
            self.run.id,
            failed_command=step.planned.number,
            retry_not_supported_reason=why_no_retry(step.planned, has_results=has_results),
        )
        raise StepFailedError(f"{step.name} failed: {why}")

    def _keep_artifacts(self, since: float) -> None:
        if not self.folder.keep_artifacts(self.index, since):
            return
        self.folder.keep_parsed(self.parsed)
        kept = {path.name for path in self.folder.artifacts(self.index).iterdir()}
        noted: dict[str, Any] = {"artifacts_saved": True}
        if "catalog.json" in kept:
            noted["has_docs_generated"] = True
        if "sources.json" in kept:
            noted["has_sources_generated"] = True
        self.store.update_run(self.run.id, **noted)

    def _log(self, text: str) -> None:
        if text:
            with self.folder.console_log(self.index).open("a", encoding="utf-8") as log:
                log.write(text.rstrip("\n") + "\n")

    # dbt

    def _invoke(self, command: str) -> bool:
        try:
            arguments = allowed_command(command).arguments
            resumes = command == RETRY and self.run.retrying_run_id is not None
            resumed = ["--state", str(self.folder.state)] if resumes else []
            process_env = self._process_env(resumes=resumes)
            if command == DEPS:
                process_env |= proxies_for_packages()
            check_project(self.folder.project, process_env)
            invocation = Invocation(
                [*arguments, *resumed],
                self.folder.project,
                process_env,
                self.folder.console_log(self.index),
            )
            return self.programs.run_dbt(invocation)
        except (CommandRefusedError, OutsideError, OSError) as error:
            self._log(str(error))
            return False

    def _process_env(self, *, resumes: bool) -> dict[str, str]:
        run = self.store.find_run(self.run.id) or self.run
        defers = self.folder.deferred.is_dir()
        return {
            **inherited_process_env(),
            **effective_variables(self.store, self.run),
            **describe_run(run, self.preparation.environment, self.account.id),
            **(deferral_process_env(self.folder.deferred, resumes=resumes) if defers else {}),
            **dbt_settings(self.folder, self.index, self.preparation.target),
            **self.preparation.profile_variables(),
        }
