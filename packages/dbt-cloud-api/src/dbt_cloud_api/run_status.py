"""The states of a dbt Cloud run and of its steps, by the numbers of the Administrative API v2."""

from enum import IntEnum


class RunStatus(IntEnum):
    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUCCESS = 10
    ERROR = 20
    CANCELLED = 30

    @classmethod
    def _missing_(cls, value: object) -> "RunStatus | None":
        """A state that dbt Cloud gets one day must not fail everything that waits for a run."""
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_, unknown._value_ = f"UNKNOWN_{value}", value
        return unknown

    @property
    def is_final(self) -> bool:
        return self >= RunStatus.SUCCESS

    @property
    def humanized(self) -> str:
        """The word that the API shows in `status_humanized`."""
        return self.name.capitalize()


FINAL = tuple(status for status in RunStatus if status.is_final)
UNFINISHED = tuple(status for status in RunStatus if not status.is_final)
