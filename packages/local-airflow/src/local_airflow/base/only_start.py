"""One start at a time: a second would end what the first has begun, and the first the second's."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import state_folders
from local_airflow.base.listeners import open_files


# It ends what it has started, and each process of that has its time to do so.
SECONDS_TO_END = 60


@contextmanager
def only_start() -> Iterator[None]:
    """Refuse a start while another one of this stack is under way."""
    file = _lock_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The kernel forgets the lock when its holder dies, however it dies.
    with file.open("a", encoding="ascii") as lock:
        if not _locked(lock):
            raise UserError(
                "another make up is at work",
                "It starts this very stack, perhaps in another terminal.",
                ("To wait until it is done:   make wait-ready", "To end it:   make down"),
            )
        yield


def end_start() -> bool:
    """
    End the start that is at work, and return when it has left nothing behind; False if none is.

    Raises `UserError` for one that does not end, or that is not ours to end.
    """
    if not _is_at_work():
        return False
    deadline = time.monotonic() + SECONDS_TO_END
    for pid in _holders():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    while _holders() and time.monotonic() < deadline:
        time.sleep(0.2)
    if _is_at_work():
        raise UserError(
            "another make up is at work, and cannot be ended from here",
            "It starts this very stack: as another user, in another container, or it is frozen.",
            ("Ctrl-C in its terminal, then:   make down",),
        )
    return True


def _lock_file() -> Path:
    return state_folders().root / "start.lock"


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at_work() -> bool:
    try:
        with _lock_file().open("a", encoding="ascii") as lock:
            return not _locked(lock)
    except FileNotFoundError:
        return False


def _holders() -> list[int]:
    """List whose the lock is: a number in a file might be that of a stranger by now."""
    file, found = str(_lock_file().resolve()), []
    for process in Path("/proc").glob("[0-9]*"):
        # A stranger's process hides its open files, and any process may end meanwhile.
        with suppress(OSError):
            if int(process.name) != os.getpid() and file in open_files(process):
                found.append(int(process.name))
    return found
