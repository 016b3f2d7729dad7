"""
The background process: prepares the databases, starts every process, watches, stops.

It knows no terminal; what it has to say goes to `processes/state.json` and to its log.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from types import FrameType
from typing import IO

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT
from local_airflow.base.restarts import Restarts
from local_airflow.base.state_file import write_state
from local_airflow.native import postgres
from local_airflow.native.postgres_answers import Recovery, until_it_answers
from local_airflow.native.process_table import (
    Process,
    loader_environment,
    local_dbt_cloud_environment,
    process_table,
    python,
    write_passwords,
)
from local_airflow.native.stack_processes import let_the_last_postgres_go
from local_airflow.stack.disk_space import full_disks
from local_airflow.stack.settings import StackSettings
from local_airflow.stack.trust import write_trusted


LOOK_EVERY = 0.2
GRACE = 20.0
BIGGEST_LOG = 20 * 1024 * 1024
FIRST_MONTH = "2013-01"

Spawn = Callable[[Process, IO[bytes]], "subprocess.Popen[bytes]"]


def spawn(process: Process, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    command = process.command
    if shutil.which("setpriv"):
        # A process in a session of its own survives the supervisor, so the kernel is told to end
        # it. By the same setpriv that changes the user: after a change, the kernel has forgotten.
        asked = command[1:] if command[0] == "setpriv" else command
        command = ["setpriv", "--pdeathsig", process.stop.removeprefix("SIG"), *asked]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=process.environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


class Supervisor:
    """Keeps the processes of a table alive until it is told to stop."""

    def __init__(
        self,
        settings: StackSettings,
        table: list[Process],
        spawn: Spawn = spawn,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.table = table
        self.spawn = spawn
        self.clock = clock
        self.sleep = sleep
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts = {process.name: Restarts(clock) for process in table}
        self.recovery = Recovery(settings.folders.postgres, clock)
        self.problem = ""
        self.is_prepared = False
        self.stopping = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping = True

    def look(self) -> None:
        """Start what is due and notice who died: one turn of the loop."""
        for process in self.table:
            child = self.children.get(process.name)
            if child is not None and child.poll() is not None:
                del self.children[process.name]
                blameless = bool(full_disks(self.settings.folders))
                self.restarts[process.name].died(blameless=blameless)
                say(f"{process.name} ended with {child.returncode}")
            may_start = self.is_prepared or not process.begins_work
            if process.name not in self.children and may_start:
                self._start_if_due(process)
        self.recovery.look(self.pid("postgres"))
        self.tell()

    def pid(self, name: str) -> int | None:
        return self.children[name].pid if name in self.children else None

    def _start_if_due(self, process: Process) -> None:
        restarts = self.restarts[process.name]
        if not restarts.is_due:
            return
        try:
            with open_log(self.settings, process.name) as log:
                self.children[process.name] = self.spawn(process, log)
        except OSError as error:
            if not self.is_prepared:
                raise UserError(
                    f"{process.name} cannot be started", str(error), ("make doctor",)
                ) from error
            say(f"{process.name} cannot be started: {error}")
            restarts.put_off()
        else:
            restarts.started()

    def tell(self) -> None:
        """Write down how it stands; what the disk does not take now, it may the next time."""
        parts = {
            name: {
                "pid": self.pid(name),
                "restarts": each.total,
                "given_up": each.given_up,
            }
            for name, each in self.restarts.items()
        }
        state = {
            "pid": os.getpid(),
            "problem": self.problem,
            "recovery": self.recovery.words,
            "processes": parts,
        }
        with contextlib.suppress(OSError):
            write_state(self.settings.folders.processes / "state.json", state)

    def watch(self) -> None:
        while not self.stopping:
            self.look()
            self.sleep(LOOK_EVERY)

    def stop_all(self) -> None:
        """End the processes, the last started first: gently, and then surely."""
        for process in reversed(self.table):
            child = self.children.pop(process.name, None)
            if child is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(getattr(signal, process.stop))
            deadline = self.clock() + GRACE
            while child.poll() is None and self.clock() < deadline:
                self.sleep(LOOK_EVERY / 4)
            if child.poll() is None:
                child.kill()
                child.wait()


def say(line: str) -> None:
    """Write into the supervisor's own log; what a full disk does not take is said later."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def open_log(settings: StackSettings, name: str) -> IO[bytes]:
    """Open a log to append to; one that has grown too big is kept once and begun anew."""
    file = settings.folders.logs / f"{name}.log"
    if file.exists() and file.stat().st_size > BIGGEST_LOG:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab")


def prepare(supervisor: Supervisor) -> None:
    """Do what must be done once PostgreSQL answers, and before anything begins to work."""
    settings = supervisor.settings
    for _ in until_it_answers(
        settings.postgres_port, supervisor.recovery, lambda: supervisor.pid("postgres")
    ):
        supervisor.look()
        if supervisor.stopping:
            return
        supervisor.sleep(LOOK_EVERY / 4)
    server = postgres.own_server(settings)
    postgres.create_databases(server, settings.secrets.database_passwords)
    if settings.has_examples:
        load = ["-m", "examples.loader", "load", "--month", FIRST_MONTH, "--only-if-empty"]
        _once(settings, "loader", [str(python("postgres")), *load], loader_environment(settings))
    (settings.folders.processes / "prepared").touch()
    supervisor.is_prepared = True


def _once(
    settings: StackSettings, name: str, command: list[str], environment: dict[str, str]
) -> None:
    with open_log(settings, name) as log:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False
        )
    if done.returncode:
        raise UserError(
            f"{name} ended with {done.returncode}",
            "Its log says why.",
            (f"make logs S={name}",),
        )


def supervise(settings: StackSettings) -> int:
    """Run until SIGTERM; give 1 when the preparation failed."""
    processes = settings.folders.processes
    (processes / "prepared").unlink(missing_ok=True)
    (processes / "airflow.json").unlink(missing_ok=True)
    write_passwords(settings)
    supervisor = Supervisor(settings, process_table(settings))
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    try:
        certificates = [str(python("local-dbt-cloud")), "-m", "local_dbt_cloud", "certificates"]
        _once(settings, "certificates", certificates, local_dbt_cloud_environment(settings))
        write_trusted(settings)
        postgres.create_cluster(settings)
        let_the_last_postgres_go(settings)
        supervisor.look()
        prepare(supervisor)
        supervisor.watch()
    except UserError as error:
        supervisor.problem = str(error)
        supervisor.tell()
        say(f"error: {error}")
        return 1
    finally:
        supervisor.stop_all()
    return 0
