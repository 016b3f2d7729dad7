"""
Which runs of a job have ended since the last look, each told once. No Airflow inside.

dbt Cloud lists runs by when they ended, but one may appear in the list a little late. So every
look goes back a while, and what was told already is remembered by its id.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self


Run = dict[str, Any]

LOOKS_BACK = timedelta(minutes=10)
# How every run begins that an Airflow has started: ours, and the provider's.
CAUSES_OF_AIRFLOW = ("[airflow:", '{"airflow_key":', "Triggered via Apache Airflow")


@dataclass(frozen=True, slots=True)
class Told:
    """Until when everything is told, and the runs that have ended shortly before."""

    until: str
    run_ids: tuple[int, ...] = ()

    @classmethod
    def now(cls) -> Self:
        """Begin with what ends from now on; the past is not told."""
        return cls(datetime.now(UTC).isoformat())

    @classmethod
    def from_stored(cls, stored: dict[str, Any] | None) -> Self | None:
        return cls(stored["until"], tuple(stored["run_ids"])) if stored else None

    def as_stored(self) -> dict[str, Any]:
        return {**asdict(self), "run_ids": list(self.run_ids)}

    @property
    def looks_from(self) -> datetime:
        return datetime.fromisoformat(self.until) - LOOKS_BACK

    def and_also(self, run: Run) -> Self:
        """Remember that a run was told."""
        until = max(datetime.fromisoformat(self.until), ended_at(run))
        return type(self)(until.isoformat(), (*self.run_ids, run["id"]))

    def without_the_old(self, listed: Iterable[Run]) -> Self:
        """Forget the ids of runs that no later look will see again."""
        recent = {run["id"] for run in listed if ended_at(run) >= self.looks_from}
        return type(self)(self.until, tuple(each for each in self.run_ids if each in recent))


def untold(listed: Iterable[Run], told: Told, begin: datetime, *, external_only: bool) -> list[Run]:
    """
    Pick the runs that are to be told now, in the order in which they ended.

    `begin` is when the watching began for the first time: what ended before it is history.
    """
    return sorted(
        (
            run
            for run in listed
            if run["id"] not in told.run_ids
            and ended_at(run) >= max(begin, told.looks_from)
            and not (external_only and is_from_airflow(run))
        ),
        key=ended_at,
    )


def is_from_airflow(run: Run) -> bool:
    cause = (run.get("trigger") or {}).get("cause") or ""
    return cause.startswith(CAUSES_OF_AIRFLOW)


def ended_at(run: Run) -> datetime:
    return datetime.fromisoformat(run["finished_at"])
