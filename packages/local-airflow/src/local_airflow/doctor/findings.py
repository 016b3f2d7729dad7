"""What a check found, and what to do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from dbt_cloud_api.plain_text import one_line, printable
from dbt_cloud_api.user_error import UserError


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One line of the doctor's report.

    `found` is what is the case, `cause` why, `remedies` what to type, `ask` whose help is needed
    when it is not in the reader's own hands. `dbt_cloud_api.preflight` speaks the same in JSON.
    """

    name: str
    level: Level
    found: str
    cause: str = ""
    remedies: tuple[str, ...] = ()
    ask: str = ""

    def __post_init__(self) -> None:
        # What is found has names in it that somebody else chose.
        object.__setattr__(self, "found", one_line(self.found))
        object.__setattr__(self, "cause", printable(self.cause))
        object.__setattr__(self, "remedies", tuple(map(printable, self.remedies)))

    @classmethod
    def parse(cls, check: Mapping[str, Any]) -> Self:
        remedies = tuple(check["remedies"])
        return cls(
            **{**check, "level": Level(check["level"]), "remedies": remedies},
        )


@dataclass(frozen=True, slots=True)
class Area:
    title: str
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ok(name: str, found: str) -> Finding:
    return Finding(name, Level.OK, found)


def skipped(name: str, found: str) -> Finding:
    return Finding(name, Level.SKIPPED, found)


def warning(name: str, found: str, cause: str, *remedies: str, ask: str = "") -> Finding:
    return Finding(name, Level.WARNING, found, cause, remedies, ask)


def error(name: str, found: str, cause: str, *remedies: str, ask: str = "") -> Finding:
    return Finding(name, Level.ERROR, found, cause, remedies, ask)


def from_user_error(name: str, wrong: UserError, level: Level = Level.ERROR) -> Finding:
    return Finding(name, level, wrong.problem, wrong.cause, wrong.remedies)


def worst(findings: Iterable[Finding]) -> Level:
    """Tell how it stands as a whole; what was skipped counts as neither good nor bad."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.OK)
