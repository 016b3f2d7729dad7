"""
Which process is meant, for certain: its number and the moment it started.

A number alone is not enough, because it is given to another process after the first has ended.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


PROC = Path("/proc")

# Fields of /proc/<pid>/stat behind the name in brackets, which may itself hold blanks.
STATE, PARENT, SESSION, START = 0, 1, 3, 19


@dataclass(frozen=True, slots=True)
class Identity:
    """`started` is the kernel's own mark of the start: ticks since boot, or `ps`'s date."""

    pid: int
    started: str


def identity_of(pid: int) -> Identity | None:
    """Identify a living process; None when there is none, or only its exit code is left."""
    if PROC.joinpath("self/stat").exists():
        fields = _stat(pid)
        return Identity(pid, fields[START]) if fields and fields[STATE] not in "ZX" else None
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return Identity(pid, answer.stdout.strip()) if answer.stdout.strip() else None


def is_alive(identity: Identity) -> bool:
    return identity_of(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal a process if it is still the one that was recorded, never another."""
    if is_alive(identity):
        with suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def members_of_session(session: Identity) -> list[Identity]:
    """
    Give every living process of a session, apart from those that left it.

    A session's number is given to no other process while one of its members lives, so whoever
    started after its leader did belongs to it.
    """
    return [
        identity
        for pid, fields in _processes()
        if int(fields[SESSION]) == session.pid and int(fields[START]) >= int(session.started)
        if (identity := identity_of(pid)) is not None
    ]


def descendants(pid: int) -> list[Identity]:
    """Give every living process below this one, children before grandchildren."""
    parents = {child: int(fields[PARENT]) for child, fields in _processes()}
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return [identity for each in found if (identity := identity_of(each)) is not None]


def children(pid: int) -> list[int]:
    """Give the numbers of a process's children, also of those that wait to be buried."""
    return [child for child, fields in _processes() if int(fields[PARENT]) == pid]


def command_line(pid: int) -> str:
    """Give a process's program and arguments; empty when it may not be known."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields:
            yield int(entry.name), fields


def _stat(pid: int) -> list[str]:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
