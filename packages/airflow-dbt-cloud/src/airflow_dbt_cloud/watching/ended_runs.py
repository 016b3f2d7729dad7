"""
Which runs of a job have ended since the last look, each told once. No Airflow inside.

dbt Cloud lists runs by when they ended, but one may appear in the list a little late. So every
look goes back a while, and what was told already is remembered by its id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self


Run = dict[str, Any]

LOOKS_BACK = timedelta(minutes=10)
# How the cause begins of a run that an Airflow has started: with our operator, and with the
# provider's; of both, the second one is what OpenLineage makes of it.
CAUSES_OF_AIRFLOW = (
    *("[airflow:", '{"airflow_key":'),
    *("Triggered via Apache Airflow", '{"parent":{"run":{"runId":'),
)


@dataclass(frozen=True, slots=True)
class AnnouncedRuns:
    """
    Until when everything is told, and the runs that have ended shortly before.

    `begin` is when the watching began for the first time: what ended before it is history.
    `ended` has when each of those runs has ended, by its id, which is text because JSON wants that.
    """

    begin: str
    until: str
    ended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls, seconds_ahead: float = 0.0) -> Self:
        """Begin with what ends from now on, by a clock that is so far ahead of ours."""
        moment = (datetime.now(UTC) + timedelta(seconds=seconds_ahead)).isoformat()
        return cls(moment, moment)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any] | None) -> Self | None:
        return cls(**stored) if stored else None

    def as_stored(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def looks_from(self) -> datetime:
        return datetime.fromisoformat(self.until) - LOOKS_BACK

    def has(self, run_id: int, finished_at: str) -> bool:
        """Whether a run was told, is history, or has ended so long ago that it must have been."""
        from_here = max(datetime.fromisoformat(self.begin), self.looks_from)
        return str(run_id) in self.ended or datetime.fromisoformat(finished_at) < from_here

    def and_also(self, run_id: int, finished_at: str) -> Self:
        """Remember that a run was told, and forget those that no later look will see again."""
        until = max(self.until, finished_at, key=datetime.fromisoformat)
        oldest = datetime.fromisoformat(until) - LOOKS_BACK
        ended = {**self.ended, str(run_id): finished_at}
        recent = {each: at for each, at in ended.items() if datetime.fromisoformat(at) >= oldest}
        return type(self)(self.begin, until, recent)

    def joined(self, other: Self) -> Self:
        """Take together what two have told, for example two assets of one watcher."""
        joined = self
        for run_id, finished_at in other.ended.items():
            joined = joined.and_also(int(run_id), finished_at)
        until = max(joined.until, other.until, key=datetime.fromisoformat)
        begin = min(self.begin, other.begin, key=datetime.fromisoformat)
        return type(self)(begin, until, joined.ended)


def untold(listed: Iterable[Run], told: AnnouncedRuns) -> list[Run]:
    """Pick the runs that are not told yet, in the order in which they ended."""
    return sorted(
        (run for run in listed if not told.has(run["id"], run["finished_at"])), key=ended_at
    )


def is_from_airflow(run: Run) -> bool:
    """Whether its cause is an Airflow's; of one that resumes another see `first_runs.py`."""
    cause = (run.get("trigger") or {}).get("cause") or ""
    return cause.startswith(CAUSES_OF_AIRFLOW)


def ended_at(run: Run) -> datetime:
    return datetime.fromisoformat(run["finished_at"])
