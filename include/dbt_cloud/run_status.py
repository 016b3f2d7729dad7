"""The six states of a dbt Cloud run, by the numbers of the Administrative API v2."""

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
