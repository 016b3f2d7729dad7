"""The states of a run and of its steps."""

from enum import IntEnum


class RunStatus(IntEnum):
    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUCCESS = 10
    ERROR = 20
    CANCELLED = 30

    @property
    def is_final(self) -> bool:
        return self >= RunStatus.SUCCESS

    @property
    def humanized(self) -> str:
        return self.name.capitalize()

    @property
    def color(self) -> str:
        """Only the green is recorded; the others follow the pages for people."""
        return COLORS[self]


COLORS = {
    RunStatus.QUEUED: "#8c96a3",
    RunStatus.STARTING: "#8c96a3",
    RunStatus.RUNNING: "#2f6fde",
    RunStatus.SUCCESS: "#55973a",
    RunStatus.ERROR: "#c0392b",
    RunStatus.CANCELLED: "#8c6d1f",
}

UNFINISHED = (RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING)
ACTIVE = (RunStatus.STARTING, RunStatus.RUNNING)
