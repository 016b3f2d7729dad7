"""When a process that died is started again, and when it is given up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
HEALTHY_AFTER = 60.0


@dataclass
class Restarts:
    """
    The history of one process. Pauses are in seconds and grow from death to death.

    A process that lived for `HEALTHY_AFTER` seconds starts with a clean slate.
    """

    clock: Callable[[], float] = monotonic
    deaths: int = 0
    total: int = 0
    due_at: float = 0.0
    started_at: float = field(default=0.0)

    def started(self) -> None:
        self.started_at = self.clock()

    def died(self, *, blameless: bool = False) -> None:
        """Note a death; one that is blameless, as where the disk is full, never is the last."""
        if self.clock() - self.started_at >= HEALTHY_AFTER:
            self.deaths = 0
        if blameless:
            self.deaths = min(self.deaths, len(PAUSES) - 1)
        if self.deaths < len(PAUSES):
            self.due_at = self.clock() + PAUSES[self.deaths]
        self.deaths += 1
        self.total += 1

    def put_off(self) -> None:
        """Let a start that was not possible wait, without a death."""
        self.due_at = self.clock() + PAUSES[-1]

    @property
    def given_up(self) -> bool:
        return self.deaths > len(PAUSES)

    @property
    def is_due(self) -> bool:
        return not self.given_up and self.clock() >= self.due_at
