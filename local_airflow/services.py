"""What a supervisor is told about a child process, and what it remembers of one."""

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from local_airflow.process_identity import Identity


STARTING = "starting"
RUNNING = "running"
PAUSED = "restarting"
FAILED = "failed"
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Service:
    """
    One child process.

    `grace` is how many seconds it gets to end by itself after `stop_signal`.
    Services of a higher `tier` need those of a lower one: they stop first.
    """

    name: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10
    tier: int = 0


class Child(Protocol):
    """A running child process, as a supervisor sees it."""

    pid: int

    def poll(self) -> int | None:
        """Give the exit code (minus a signal's number) once it has ended, else None."""

    def send(self, number: signal.Signals) -> None:
        """Signal it; a child that has ended is no error."""

    def kill_all(self) -> None:
        """Kill it and whatever it started that is still in its process group."""


@dataclass(slots=True)
class Record:
    """One line of `make status`. `since` is in seconds since the epoch."""

    name: str
    state: str = STARTING
    identity: Identity | None = None
    since: float = 0
    restarts: int = 0
    reason: str = ""


def write_records(file: Path, leader: Identity, records: Sequence[Record]) -> None:
    """Write the state of all services whole: a reader never sees half of it."""
    text = json.dumps({"leader": asdict(leader), "services": [asdict(each) for each in records]})
    unfinished = file.with_suffix(".new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)


def read_records(file: Path) -> tuple[Identity | None, list[Record]]:
    """Read who leads and what became of each service; nothing when there is no such file."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None, []
    records = [Record(**each) for each in state["services"]]
    for record in records:
        if record.identity is not None:
            record.identity = Identity(**record.identity)  # type: ignore[arg-type] # a dict until here
    return Identity(**state["leader"]), records
