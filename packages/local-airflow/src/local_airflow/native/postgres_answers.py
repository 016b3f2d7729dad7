"""
Wait until PostgreSQL answers, after a crash as long as its recovery makes progress.

It answers nobody meanwhile, and whoever stops it makes it begin anew. Its processes say in their
titles what they are at; docs/decisions/0027 says why they are believed and nobody else.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.native.postgres import programs


SECONDS_TO_START = 30
# A disk that secures much at once lets a process wait, and its processor time stand, for long.
SECONDS_WITHOUT_PROGRESS = 300
SECONDS_TO_ASK = 5
# A start without a crash has the process of the recovery too, for an instant. After one, it first
# sees to it that every file is on the disk.
SECONDS_OF_A_QUICK_START = 2
MEGABYTES_OF_A_SEGMENT = 16
SEGMENT = re.compile("[0-9A-F]{24}")
AT_WORK = ("postgres: startup", "postgres: checkpointer")


@dataclass(frozen=True, slots=True)
class _Work:
    """What the processes of a recovery have done; another one than before is progress."""

    titles: tuple[str, ...]
    ticks: int


class Recovery:
    """What PostgreSQL does before it answers; look again and again."""

    def __init__(self, data: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.data = data
        self.clock = clock
        self._work: _Work | None = None
        self._began_at = self._progress_at = clock()
        self._first_segment: int | None = None

    def look(self, postmaster: int | None) -> None:
        """Look at the processes below PostgreSQL's first one; None when there is no such."""
        before, self._work = self._work, _work(postmaster) if postmaster else None
        if self._work and not before:
            self._began_at, self._first_segment = self.clock(), None
        if self._work != before:
            self._progress_at = self.clock()

    @property
    def is_under_way(self) -> bool:
        return self._work is not None

    @property
    def seconds_without_progress(self) -> float:
        return self.clock() - self._progress_at

    @property
    def words(self) -> str:
        """Say what it is at; empty when there is no recovery, or hardly one."""
        if self._work is None:
            return ""
        found = [SEGMENT.search(title) for title in self._work.titles]
        segments = [_number(match[0]) for match in found if match]
        if not segments:
            took = self.clock() - self._began_at
            return "PostgreSQL goes through its files" if took > SECONDS_OF_A_QUICK_START else ""
        if self._first_segment is None:
            self._first_segment = segments[0]
        done, whole = (
            (number - self._first_segment) * MEGABYTES_OF_A_SEGMENT
            for number in (segments[0], max(segments[0], _last_written(self.data)))
        )
        return f"PostgreSQL recovers after a crash: {done} of about {whole} MB"


def _work(postmaster: int) -> _Work | None:
    """Read it from /proc, where everybody may; None when nothing is recovered."""
    titles, ticks = [], 0
    with suppress(OSError):
        listed = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in map(Path("/proc").joinpath, listed):
            # Whoever asks in vain has a process for an instant, which may be gone again.
            with suppress(OSError):
                title = (process / "cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace")
                if title.startswith(AT_WORK):
                    titles.append(title)
                    ticks += _processor_time(process)
    is_under_way = any(title.startswith(AT_WORK[0]) for title in titles)
    return _Work(tuple(titles), ticks) if is_under_way else None


def _processor_time(process: Path) -> int:
    """Add utime and stime; fields are counted behind the name, which may hold blanks."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _number(segment: str) -> int:
    """Count the segments of the write-ahead log, whose names are three numbers in hexadecimal."""
    return int(segment[8:16], 16) * 256 + int(segment[16:], 16)


def _last_written(data: Path) -> int:
    """Find where the log ends; those that wait to be written anew have higher numbers."""
    written = {}
    for file in (data / "pg_wal").glob("*"):
        # PostgreSQL gives them other names as it goes on.
        with suppress(OSError):
            if SEGMENT.fullmatch(file.name):
                written[file.stat().st_mtime] = _number(file.name)
    return written[max(written)] if written else 0


def until_it_answers(
    port: int, recovery: Recovery, postmaster: Callable[[], int | None]
) -> Iterator[None]:
    """
    Yield again and again until PostgreSQL takes connections.

    Raise `UserError` when it does nothing towards that any more.
    """
    while True:
        recovery.look(postmaster())
        if not recovery.is_under_way and takes_connections(port):
            return
        patience = SECONDS_WITHOUT_PROGRESS if recovery.is_under_way else SECONDS_TO_START
        if recovery.seconds_without_progress > patience:
            raise UserError(
                "PostgreSQL does not answer",
                f"It takes no connections at 127.0.0.1:{port}, and has made no progress "
                f"for {patience} seconds.",
                ("make logs S=postgres", "make doctor"),
            )
        yield


def takes_connections(port: int) -> bool:
    """Ask on a new connection: one that listens may still refuse everybody."""
    address = ["--host=127.0.0.1", f"--port={port}", "--username=postgres"]
    asked = [str(programs() / "pg_isready"), "--quiet", f"--timeout={SECONDS_TO_ASK}", *address]
    done = subprocess.run(asked, env={"PATH": os.environ["PATH"]}, check=False)
    return done.returncode == 0
