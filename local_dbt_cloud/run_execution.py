"""One run, from "picked up" to its end: step after step in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from local_dbt_cloud import git_repository
from local_dbt_cloud.account import Account
from local_dbt_cloud.dbt_process import DbtProcess, GuardedProcess, inherited_process_env
from local_dbt_cloud.run_environment import describe_run
from local_dbt_cloud.run_failure import explain_failure
from local_dbt_cloud.run_folder import PASSWORD_VARIABLE, PROFILE, RunFolder, read_log
from local_dbt_cloud.run_plan import DEPS, RETRY, End, Planned, plan, why_no_retry
from local_dbt_cloud.run_status import RunStatus
from local_dbt_cloud.run_steps import (
    StepRefusedError,
    invocation_name,
    parse_command,
    profile_step_name,
)
from local_dbt_cloud.settings import Settings
from local_dbt_cloud.store import Run, Store
from local_dbt_cloud.timestamps import humanized, now


LOG = logging.getLogger("local_dbt_cloud")
ACCOUNT_LIMIT_SECONDS = 86400


class StepFailedError(Exception):
    """Ends the run as an error; the text becomes its `status_message`."""


CANCELLED = End(RunStatus.CANCELLED, "Cancelled by user.")
SERVER_STOPPED = End(
    RunStatus.ERROR, "The local dbt Cloud was stopped while the run was in progress."
)


class RunExecution:
    def __init__(self, run: Run, settings: Settings, account: Account, store: Store) -> None:
        self.run, self.settings, self.account, self.store = run, settings, account, store
        job = store.find_job(run.job_id)
        if job is None:
            raise LookupError(run.job_id)
        self.job = job.definition
        self.project = account.project(run.project_id)
        self.environment = account.environment(run.environment_id)
        self.folder = RunFolder(settings.state / "runs" / str(run.id))
        self.parsed = settings.state / "parsed" / f"{run.job_id}.msgpack"
        self.index = 0
        self.lock = threading.Lock()
        self.process: DbtProcess | None = None
        self.end: End | None = None

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
                self._finish(end)
            if self.process is not None:
                self.process.stop()

    def _run(self, when_done: Callable[[int], None]) -> None:
        timeout = self._start_timeout()
        try:
            self._finish(self._execute())
        except Exception:
            LOG.exception("run %s failed in the server", self.run.id)
            self._finish(End(RunStatus.ERROR, "The local dbt Cloud failed; its log says why."))
        finally:
            timeout.cancel()
            when_done(self.run.id)

    def _start_timeout(self) -> threading.Timer:
        override = self.run.trigger["timeout_seconds_override"]
        limit = self.job["execution"]["timeout_seconds"] if override is None else override
        seconds = limit or ACCOUNT_LIMIT_SECONDS
        message = (
            f"This run timed out after running for {humanized(seconds)}, "
            f"which exceeded the configured timeout of {seconds} seconds."
        )
        timer = threading.Timer(seconds, self.stop, [End(RunStatus.CANCELLED, message)])
        timer.daemon = True
        timer.start()
        return timer

    def _execute(self) -> End:
        self.store.update_run(self.run.id, status=RunStatus.RUNNING, started_at=now())
        try:
            self._own_step("Clone git repository", self._clone)
            schema_override = self.run.trigger["schema_override"]
            connection = self.account.connection(self.environment.connection_id)
            self._own_step(profile_step_name(connection.name, schema_override), self._profile)
            self._dbt_step(Planned(DEPS, None))
            for planned in plan(self.run, self.job):
                self._dbt_step(planned)
        except StepFailedError as failure:
            return self.end or End(RunStatus.ERROR, str(failure))
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

    # The steps that are no dbt process

    def _own_step(self, name: str, work: Callable[[], str]) -> None:
        step_id = self._begin_step(name, None)
        try:
            log = work()
        except (OSError, git_repository.GitError) as error:
            self._write_log(f"{name}\nfatal: {error}\n")
            self.store.end_step(step_id, RunStatus.ERROR)
            raise StepFailedError(f"{name}: {error}") from error
        self._write_log(log)
        self._end_step(step_id, RunStatus.SUCCESS)

    def _clone(self) -> str:
        source, trigger = self.project.folder, self.run.trigger
        revision = trigger["git_sha"] or trigger["git_branch"]
        lines = [f"Cloning into '{self.folder.project}'..."]
        if not (source / "dbt_project.yml").is_file():
            raise FileNotFoundError(f"there is no dbt_project.yml in {source}")
        if revision:
            sha: str | None = git_repository.extract(source, revision, self.folder.project)
            branch = trigger["git_branch"]
            checkout = f"Checking out to {revision}"
        else:
            self.folder.copy_project(source)
            head = git_repository.read_head(source)
            sha, branch = head.sha, head.branch
            checkout = "Checking out default branch"
            lines.append(f"The folder {source} as it is now, with what is not committed.")
        self.store.update_run(self.run.id, git_sha=sha, git_branch=branch)
        return "\n".join([*lines, "Successfully cloned repository.", checkout, ""])

    def _profile(self) -> str:
        trigger, settings = self.run.trigger, self.job["settings"]
        schema = trigger["schema_override"] or self.environment.schema_name
        target = trigger["target_name_override"] or settings["target_name"]
        threads = trigger["threads_override"] or settings["threads"]
        self.folder.take_parsed(self.parsed)
        self.folder.write_profile(self.settings.warehouse, target, schema, threads)
        connection = self.account.connection(self.environment.connection_id)
        return profile_step_name(connection.name, trigger["schema_override"]) + "\n"

    # dbt

    def _dbt_step(self, planned: Planned) -> None:
        step_id = self._begin_step(invocation_name(planned.command), planned.command)
        started = time.time()
        try:
            succeeded = self._invoke(planned.command)
        except (StepRefusedError, OSError) as error:
            self._write_log(f"{error}\n")
            succeeded = False
        if self.folder.keep_artifacts(self.index, started):
            self._note_artifacts()
            self.folder.keep_parsed(self.parsed)
        self._end_step(step_id, RunStatus.SUCCESS if succeeded else RunStatus.ERROR)
        if not succeeded and planned.required:
            self._fail(planned)

    def _invoke(self, command: str) -> bool:
        arguments = parse_command(command).arguments
        resumes = command == RETRY and self.run.retrying_run_id is not None
        resumed = ["--state", str(self.folder.state)] if resumes else []
        with self.lock:
            if self.end is not None:
                return False
            self.process = GuardedProcess(
                [str(self.settings.dbt), *arguments, *resumed],
                self.folder.project,
                self._process_env(),
                self.folder.console_log(self.index),
            )
        try:
            return self.process.wait() == 0
        finally:
            with self.lock:
                self.process = None

    def _process_env(self) -> dict[str, str]:
        return {
            **inherited_process_env(),
            **describe_run(
                self.store.find_run(self.run.id) or self.run, self.environment, self.account.id
            ),
            PASSWORD_VARIABLE: self.settings.warehouse.password,
            "DBT_PROFILE": PROFILE,
            "DBT_PROFILES_DIR": str(self.folder.profiles),
            "DBT_TARGET_PATH": str(self.folder.target),
            "DBT_LOG_PATH": str(self.folder.step(self.index)),
            "DBT_USE_COLORS": "false",
            "DBT_USE_COLORS_FILE": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_VERSION_CHECK": "false",
            "PYTHONUNBUFFERED": "1",
        }

    def _fail(self, planned: Planned) -> None:
        results = self.folder.find_artifact("run_results.json", self.index)
        console = read_log(self.folder.console_log(self.index))
        self.store.update_run(
            self.run.id,
            failed_command=planned.number,
            retry_not_supported_reason=why_no_retry(planned, has_results=results is not None),
        )
        reason = explain_failure(results, console)
        raise StepFailedError(f"{invocation_name(planned.command)} failed: {reason}")

    def _note_artifacts(self) -> None:
        kept = {path.name for path in self.folder.artifacts(self.index).iterdir()}
        noted: dict[str, Any] = {"artifacts_saved": True}
        if "catalog.json" in kept:
            noted["has_docs_generated"] = True
        if "sources.json" in kept:
            noted["has_sources_generated"] = True
        self.store.update_run(self.run.id, **noted)

    # What all steps share

    def _begin_step(self, name: str, command: str | None) -> int:
        if self.end is not None:
            raise StepFailedError(name)
        self.index += 1
        self.folder.step(self.index).mkdir(parents=True, exist_ok=True)
        return self.store.add_step(self.run.id, self.index, name, command).id

    def _end_step(self, step_id: int, status: RunStatus) -> None:
        """A step that was cut short ends as its run did."""
        self.store.end_step(step_id, self.end.status if self.end else status)
        if self.end is not None:
            raise StepFailedError

    def _write_log(self, text: str) -> None:
        self.folder.console_log(self.index).write_text(text, encoding="utf-8")
