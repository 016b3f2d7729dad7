"""What one step of the preflight found."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """
    One line of the report.

    `found` is what is the case, `cause` why that is so, `remedies` what to type or click, and
    `ask` whose help is needed when it is not in the reader's own hands.
    """

    name: str
    level: Level
    found: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    ask: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class PreflightError(Exception):
    """A step failed, and what builds on it cannot be checked."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.found)
        self.check = check


def ok(name: str, found: str) -> Check:
    return Check(name, Level.OK, found)


def warning(name: str, found: str, cause: str, *remedies: str, ask: str = "") -> Check:
    return Check(name, Level.WARNING, found, cause, remedies, ask)


def error(name: str, found: str, cause: str, *remedies: str, ask: str = "") -> PreflightError:
    return PreflightError(Check(name, Level.ERROR, found, cause, remedies, ask))
