"""Find and end the processes of this stack, by the mark in their process environment."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from local_airflow.base.state_file import read_state
from local_airflow.native.process_table import MARK
from local_airflow.stack.settings import StackSettings


GENTLY = 30.0
SURELY = 10.0


def supervisor_pid(settings: StackSettings) -> int | None:
    """Give the supervisor's process id if it lives; never that of a stranger with its number."""
    pid = read_state(settings.folders.processes / "state.json").get("pid")
    return pid if pid and pid in marked(settings) else None


def marked(settings: StackSettings) -> list[int]:
    """
    List every process of this stack: its environment names our state folder, or it writes our logs.

    Airflow's workers write their titles over their environment, and outlive a scheduler that was
    killed; what they print still goes where the scheduler's words went.
    """
    mark = f"{MARK}={settings.state}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = mark in (process / "environ").read_bytes().split(b"\0") or (
                (process / "fd/1").readlink().parent == settings.folders.logs
            )
            if ours and not _is_dead(process):
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def let_the_last_postgres_go(settings: StackSettings) -> None:
    """
    Wait for a server that was killed to be gone, which PostgreSQL would take for a living one.

    It has ended, but its number is taken until its parent has heard of it. With everything else
    killed too that is a stranger, who may take a second.
    """
    lock = settings.folders.postgres / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError):
        process = Path("/proc", str(int(lock.read_text().splitlines()[0])))
        _wait(lambda: not _is_dead(process), SURELY)


def _is_dead(process: Path) -> bool:
    return _state(process) in "ZX"


def is_frozen(pid: int) -> bool:
    """Tell whether a process was stopped and may go on: by SIGSTOP, not by a debugger."""
    try:
        return _state(Path("/proc", str(pid))) == "T"
    except OSError:
        return False


def _state(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


def end_all(settings: StackSettings) -> bool:
    """End the supervisor, which ends the others; then whoever is left. True if there was one."""
    found = bool(marked(settings))
    pid = supervisor_pid(settings)
    if pid:
        _signal([pid], signal.SIGTERM)
        _wait(lambda: pid not in marked(settings), GENTLY)
    _signal(marked(settings), signal.SIGTERM)
    _wait(lambda: not marked(settings), SURELY)
    _signal(marked(settings), signal.SIGKILL)
    _wait(lambda: not marked(settings), SURELY)
    # What is left of them says that nobody wanted the end.
    (settings.folders.processes / "state.json").unlink(missing_ok=True)
    (settings.folders.processes / "airflow.json").unlink(missing_ok=True)
    return found


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait(until: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(0.1)
