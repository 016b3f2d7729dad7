"""
Airflow's four components as forks of one process that imported Airflow once.

The only module of this folder that runs inside Airflow's own environment, and it touches Airflow
only through its command line. Importing once takes 5 s; four imports side by side took 15 to 24.

    <Airflow's Python> -m local_airflow.native.airflow_forks <state folder> <port>
"""

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from local_airflow.base.folders import StateFolders
from local_airflow.base.restarts import Restarts
from local_airflow.base.state_file import write_state
from local_airflow.stack.disk_space import full_disks


PRELOADED = (
    "airflow.__main__",
    "airflow.cli.cli_parser",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.dag_processing.manager",
    "airflow.executors.local_executor",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.routes.public",
    "airflow.api_fastapi.core_api.routes.ui",
    "airflow.api_fastapi.execution_api.app",
    "airflow.providers.dbt.cloud.operators.dbt",
)
PR_SET_PDEATHSIG = 1
GRACE = 12.0
LOOK_EVERY = 0.2


def commands(port: str) -> dict[str, list[str]]:
    # Without log servers: the api-server reads the same log folder.
    return {
        "api-server": ["api-server", "--host", "127.0.0.1", "--port", port],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
        "triggerer": ["triggerer", "--skip-serve-logs"],
    }


class Forks:
    """Starts the components, starts them again when they die, and stops them."""

    def __init__(self, state: Path, port: str) -> None:
        self.state = state
        self.commands = commands(port)
        self.pids: dict[str, int] = {}
        self.restarts = {name: Restarts() for name in self.commands}
        self.stopping = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self.stopping:
            for name in self.commands:
                if name not in self.pids and self.restarts[name].is_due:
                    self._start(name)
            time.sleep(LOOK_EVERY)
            self._reap()
            self._tell()
        self._stop_all()
        return 0

    def _start(self, name: str) -> None:
        try:
            self.pids[name] = fork(self.commands[name], self.state / "logs" / f"{name}.log")
        except OSError:
            # There is no memory, or there are too many processes: not for ever.
            self.restarts[name].put_off()
        else:
            self.restarts[name].started()

    def _reap(self) -> None:
        for name, pid in list(self.pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            # The scheduler's workers are in its group, and would outlive it.
            kill_group(pid, signal.SIGKILL)
            del self.pids[name]
            self.restarts[name].died(blameless=bool(full_disks(StateFolders(self.state))))
            with contextlib.suppress(OSError):
                print(f"{name} ended with {os.waitstatus_to_exitcode(status)}", flush=True)

    def _tell(self) -> None:
        """Write down how it stands; what the disk does not take now, it may the next time."""
        parts = {
            name: {
                "pid": self.pids.get(name),
                "restarts": each.total,
                "given_up": each.given_up,
            }
            for name, each in self.restarts.items()
        }
        with contextlib.suppress(OSError):
            write_state(self.state / "processes" / "airflow.json", parts)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _stop_all(self) -> None:
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while self.pids and time.monotonic() < deadline:
            self._reap()
            time.sleep(LOOK_EVERY)
        for pid in self.pids.values():
            kill_group(pid, signal.SIGKILL)


def kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def fork(arguments: list[str], log: Path) -> int:
    """Run one `airflow …` command in a fork, in a group of its own, and give its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _become_a_process(log)
    except OSError:
        # For want of a log: whoever forked it tries again.
        os._exit(1)
    os._exit(run_airflow(arguments))


def _become_a_process(log: Path) -> None:
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def run_airflow(arguments: list[str]) -> int:
    sys.argv = ["airflow", *arguments]
    try:
        importlib.import_module("airflow.__main__").main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 # a fork must never return into its parent's code
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def preload() -> None:
    gc.disable()
    for module in PRELOADED:
        importlib.import_module(module)
    # What is frozen is never touched by the collector, so its pages stay shared.
    gc.collect()
    gc.freeze()


def main() -> int:
    state, port = Path(sys.argv[1]), sys.argv[2]
    started = time.monotonic()
    preload()
    print(f"imported Airflow in {time.monotonic() - started:.1f} s", flush=True)
    # Until the databases are there and filled, and the certificates are written.
    while not (state / "processes" / "prepared").exists():
        time.sleep(0.05)
    migration = fork(["db", "migrate"], state / "logs" / "migrate.log")
    status = os.waitstatus_to_exitcode(os.waitpid(migration, 0)[1])
    if status:
        print(f"the migration of Airflow's database ended with {status}", flush=True)
        return 1
    print(f"migrated after {time.monotonic() - started:.1f} s", flush=True)
    return Forks(state, port).run()


if __name__ == "__main__":
    sys.exit(main())
