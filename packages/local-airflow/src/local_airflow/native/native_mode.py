"""Everything as processes of this machine, installed below `.local/`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base import log_files
from local_airflow.base.folders import LAUNCHER_PATH, ROOT
from local_airflow.base.install import check_space, install, to_run
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.state_file import read_state
from local_airflow.native import native_snapshots, postgres
from local_airflow.native.postgres_answers import Recovery, until_it_answers
from local_airflow.native.process_table import (
    MARK,
    airflow_environment,
    base_environment,
    loader_environment,
    process_table,
    python,
)
from local_airflow.native.stack_processes import end_all, is_frozen, marked, supervisor_pid
from local_airflow.native.supervisor import open_log
from local_airflow.stack.disk_space import full_disks, no_room
from local_airflow.stack.mode import Part
from local_airflow.stack.settings import StackSettings


# Two databases with their write-ahead logs, a month of flights, and the logs of some days.
NEEDED_MEGABYTES = 300
# The triggerer takes up to twelve to stop, and then the pause before a restart.
SECONDS_TO_RESTART = 40
SECONDS_BETWEEN_LOOKS = 0.1
# The second is that of a supervisor that had not come as far as listening to the signal.
TOLD_TO_END = {0, -signal.SIGTERM}


class NativeMode:
    name = "native"

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self._supervisor: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        install(to_run(examples=self.settings.has_examples))
        check_space(self.settings.state, NEEDED_MEGABYTES, "Databases and logs need")
        if full := full_disks(self.settings.folders):
            raise no_room(full, "What is started would end halfway.")

    def is_running(self) -> bool:
        return supervisor_pid(self.settings) is not None

    def stop_previous(self) -> None:
        if marked(self.settings):
            print("already running; starting again with .env as it is now")
            with ProgressLine("stopping what runs"):
                end_all(self.settings)

    def own_ports(self) -> frozenset[int]:
        return frozenset()

    def start(self) -> None:
        self.settings.folders.create()
        (self.settings.folders.logs / "tasks").mkdir(exist_ok=True)
        # Until the supervisor is up, the last start's word would be taken for this one's; a
        # machine that lost its power has left it.
        for word in ("prepared", "state.json", "airflow.json"):
            (self.settings.folders.processes / word).unlink(missing_ok=True)
        with open_log(self.settings, "supervisor") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "local_airflow", "supervise"],
                cwd=ROOT,
                env={
                    **base_environment(self.settings, "supervisor"),
                    "PYTHONPATH": LAUNCHER_PATH,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> bool:
        return end_all(self.settings)

    def how_it_ended(self) -> str:
        file = self.settings.folders.processes / "state.json"
        if not read_state(file):
            return ""
        # The supervisor writes it several times a second, as long as it lives.
        last = datetime.fromtimestamp(file.stat().st_mtime)  # noqa: DTZ006 # the reader's own clock
        return (
            f"The supervisor ended at {last:%H:%M:%S} on {last:%Y-%m-%d}, and with it everything. "
            "No command told it to: it was killed, by somebody or for want of memory, or the "
            "machine went down."
        )

    def parts(self) -> list[Part]:
        recovering = {"postgres": self.recovery()}
        return [
            _part(name, part, recovering.get(name, "")) for name, part in self._states().items()
        ]

    def _states(self) -> dict[str, dict[str, int]]:
        state: dict[str, dict[str, int]] = read_state(self._supervisor_state).get("processes", {})
        return {**state, **read_state(self.settings.folders.processes / "airflow.json")}

    def recovery(self) -> str:
        return str(read_state(self._supervisor_state).get("recovery", ""))

    @property
    def _supervisor_state(self) -> Path:
        return self.settings.folders.processes / "state.json"

    def is_prepared(self) -> bool:
        return (self.settings.folders.processes / "prepared").exists()

    def local_dbt_cloud_state(self) -> str:
        return str(self.settings.folders.dbt_cloud)

    def own_facts(self) -> list[tuple[str, str, Callable[[], bool]]]:
        return []

    def raise_if_failed(self) -> None:
        failure = self._failure()
        if failure is None:
            return
        if full := full_disks(self.settings.folders):
            raise no_room(full, f"{failure.problem}, for want of room.")
        raise failure

    def _failure(self) -> UserError | None:
        problem = read_state(self._supervisor_state).get("problem")
        if problem:
            return UserError("the start failed", problem, ("make logs S=supervisor",))
        for name, part in self._states().items():
            # Two deaths in a row during a start are no accident.
            if part["given_up"] or part["restarts"] > 1:
                return UserError(
                    f"{name} died {part['restarts']} times at its start",
                    f"The end of its log:\n{self.last_lines(name)}",
                    (f"make logs S={name}",),
                )
        ended = self._supervisor.poll() if self._supervisor else None
        if ended in TOLD_TO_END:
            return UserError(
                "the start was stopped",
                "Another command ended it while it was under way: make down, or make reset.",
                ("make up",),
            )
        if ended is not None:
            return UserError(
                "the supervisor is gone",
                f"The end of its log:\n{self.last_lines('supervisor')}",
                ("make up",),
            )
        return None

    def last_lines(self, part: str, count: int = 12) -> str:
        return log_files.last_lines(self.settings.folders.logs, part, count)

    def keep_logs(self) -> None:
        """Nothing to do: processes write theirs there themselves."""

    def logs(self, part: str | None, lines: int, *, following: bool) -> int:
        return log_files.show(self.settings.folders.logs, part, lines, following=following)

    def restart(self, part: str) -> None:
        """Return when another process has taken the part; raise `UserError` when none does."""
        pid = self._pid(part)
        if pid:
            # Whoever watches a process starts it again when it ends.
            os.kill(pid, self._gentle_signal(part))
        deadline = time.monotonic() + SECONDS_TO_RESTART
        while self._pid(part) in {pid, None}:
            if time.monotonic() > deadline:
                raise UserError(
                    f"{part} is not back after {SECONDS_TO_RESTART} seconds",
                    f"Process {pid} was told to end; it has not, or what took its place has died.",
                    (f"make logs S={part}", "To start everything anew:   make up"),
                )
            time.sleep(SECONDS_BETWEEN_LOOKS)
        if part == "postgres":
            port, recovery = self.settings.postgres_port, Recovery(self.settings.folders.postgres)
            for _ in until_it_answers(port, recovery, lambda: self._pid(part)):
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _pid(self, part: str) -> int | None:
        return self._states().get(part, {}).get("pid")

    def _gentle_signal(self, part: str) -> signal.Signals:
        named = {process.name: process.stop for process in process_table(self.settings)}
        return signal.Signals[named.get(part, "SIGTERM")]

    def run_airflow(self, command: Sequence[str]) -> int:
        environment = airflow_environment(self.settings)
        del environment[MARK]
        programs = python("airflow").parent
        environment["PATH"] = f"{programs}:{environment.get('PATH', '')}"
        return subprocess.run(list(command), cwd=ROOT, env=environment, check=False).returncode

    def run_ingestion(self, arguments: Sequence[str]) -> int:
        command = [str(python("postgres")), "-m", "examples.loader", *arguments]
        environment = loader_environment(self.settings)
        del environment[MARK]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

    def log_in(self, seconds: float) -> None:
        postgres.log_in(self.settings, seconds)

    def psql(self, database: str, arguments: Sequence[str]) -> int:
        return postgres.open_psql(self.settings, database, arguments)

    def dump_database(self, database: str, file: Path) -> None:
        native_snapshots.dump_database(self.settings, database, file)

    def archive_state(self, file: Path) -> None:
        native_snapshots.archive_state(self.settings, file)

    def bring_back(self, folder: Path) -> None:
        end_all(self.settings)
        native_snapshots.bring_back(self.settings, folder)

    def delete_data(self) -> None:
        end_all(self.settings)
        shutil.rmtree(self.settings.state, ignore_errors=True)

    def describe_data(self) -> str:
        return f"all data below {self.settings.state}"


def _part(name: str, told: dict[str, int], recovery: str) -> Part:
    """Say how a process is, as who watches it told; a frozen one has not ended for anybody."""
    pid, restarts = told["pid"], told["restarts"]
    if told["given_up"]:
        why = "It ended again and again; it is not started any more."
        return Part(name, "given up", "", restarts, is_healthy=False, why=why, remedy="make up")
    if not pid:
        state = "restarting" if restarts else "waiting"
        return Part(name, state, "", restarts, is_healthy=False)
    if is_frozen(pid):
        why, remedy = "Somebody stopped its process (SIGSTOP).", f"kill -CONT {pid}"
        return Part(name, "frozen", str(pid), restarts, is_healthy=False, why=why, remedy=remedy)
    if recovery:
        return Part(name, "recovering", str(pid), restarts, is_healthy=False, why=recovery)
    return Part(name, "running", str(pid), restarts, is_healthy=True)
