"""
What a task remembers of its dbt Cloud runs, over retries, Clears and the death of its worker.

It is kept in the task's own state store (`task_state_store` of Airflow 3.3), which belongs to the
task instance, not to one try. An intention is written before a run is triggered and the run after
it, so that a crash between the two leaves a trace to follow.
"""

import secrets
import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

from airflow_dbt_cloud.one_run.cause import RunKey, name_task_instance


STORE_KEY = "dbt_cloud"


class StateStore(Protocol):
    """The two methods of Airflow's `TaskStateStoreAccessor` that are used here."""

    def get(self, key: str) -> Any: ...
    def set(self, key: str, value: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that may have reached dbt Cloud: a new run, or a retry of a failed one."""

    retrying: int | None


@dataclass(frozen=True, slots=True)
class Generation:
    """
    The runs of one generation: the newest that is known, and what may have come after it.

    `since` is when its dag_run began, and bounds every search for its runs.
    `overrides` is what the newest run was triggered with.
    `repeated_at` is when, in seconds since 1970, a trigger was last sent although one before it,
    also one of an earlier generation, had no answer: the network may deliver that one yet.
    """

    number: int
    since: str | None = None
    run_id: int | None = None
    overrides: dict[str, Any] | None = None
    pending: Pending | None = None
    repeated_at: float | None = None

    @property
    def repeated_now(self) -> float | None:
        """Give `repeated_at` as it is when another trigger is sent after this generation's."""
        # dbt Cloud itself refuses a retry that comes late: its run is not the latest any more.
        unanswered = self.pending is not None and self.pending.retrying is None
        return time.time() if unanswered else self.repeated_at

    @classmethod
    def from_stored(cls, stored: dict[str, Any] | None) -> Self | None:
        if stored is None:
            return None
        pending = stored.get("pending")
        return cls(**{**stored, "pending": Pending(**pending) if pending else None})


@dataclass(frozen=True, slots=True)
class TaskAttempt:
    """
    What Airflow says of this try. `identity` names the task instance.

    Airflow counts tries upwards for ever. A Clear raises `max_tries` by the tries used so far, so
    that `max_tries - retries` is the number of tries before this generation.
    """

    identity: tuple[str, ...]
    try_number: int
    max_tries: int
    retries: int
    clear_number: int
    since: str | None

    @property
    def generation(self) -> int:
        first_try = self.max_tries - self.retries + 1
        return max(1, min(first_try, self.try_number))

    def continues(self, stored: dict[str, Any]) -> bool:
        """
        Whether this is a retry of what was stored, not a Clear of it.

        `retries` in a DAG file may change between two tries, and `max_tries - retries` with it;
        Airflow's own `max_tries` changes with a Clear only. A Clear that happens to give the same
        sum is told by the dag_run's `clear_number`.
        """
        if stored["max_tries"] != self.max_tries:
            return False
        return bool(
            self.retries == stored["retries"] or self.clear_number == stored["clear_number"]
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the task's runs are: an Airflow connection, an account (None: its own), a job."""

    conn_id: str
    account_id: int | None
    job_id: int


class TaskMemory:
    """The current generation, and the one before it, of one task instance."""

    def __init__(
        self, store: StateStore | None, attempt: TaskAttempt, place: Place, stored: dict[str, Any]
    ) -> None:
        self._store, self._attempt, self.place = store, attempt, place
        self._is_kept = store is not None or bool(stored)
        self._nonce: str = stored.get("nonce") or (secrets.token_hex(8) if self._is_kept else "")
        current = Generation.from_stored(stored.get("current"))
        if current is not None and attempt.continues(stored):
            self.current = current
            self.previous = Generation.from_stored(stored.get("previous"))
        else:
            number = max(attempt.generation, current.number + 1 if current else 1)
            repeated_at = current.repeated_now if current else None
            self.current = Generation(number, attempt.since, repeated_at=repeated_at)
            self.previous = current

    @classmethod
    def open(cls, store: StateStore | None, attempt: TaskAttempt, place: Place) -> Self:
        """Read what earlier tries wrote. Without a store, only what the API says is known."""
        return cls(store, attempt, place, (store.get(STORE_KEY) or {}) if store else {})

    @staticmethod
    def job_begun_with(store: StateStore | None, attempt: TaskAttempt) -> int | None:
        """
        Give the job that an earlier try of this generation has begun to run.

        A name may lead to another job meanwhile; a run that was lost is looked for in this one.
        """
        stored = (store.get(STORE_KEY) or {}) if store else {}
        if not stored.get("current") or not attempt.continues(stored):
            return None
        return int(stored["place"]["job_id"])

    @classmethod
    def recall(cls, stored: dict[str, Any], identity: tuple[str, ...]) -> Self:
        """Read what a task wrote, outside of the task, and change nothing of it."""
        attempt = TaskAttempt(
            identity=identity,
            try_number=1,
            max_tries=stored["max_tries"],
            retries=stored["retries"],
            clear_number=stored["clear_number"],
            since=None,
        )
        return cls(None, attempt, Place(**stored["place"]), stored)

    def key_of(self, generation: Generation) -> RunKey:
        return RunKey(name_task_instance(self._nonce, *self._attempt.identity), generation.number)

    @property
    def key(self) -> RunKey:
        return self.key_of(self.current)

    @property
    def may_have_triggered(self) -> bool:
        """Whether a run that is not known may exist. Without a store, one always may."""
        settled = self.current.pending is None and self.current.repeated_at is None
        return not (settled and self._is_kept)

    def about_to_trigger(self, retrying: int | None) -> None:
        """
        Write the intention. Airflow refuses this to a try that it has given up.

        So a worker that was thought dead and wakes up again stops here.
        """
        repeated_at = self.current.repeated_now
        self._save(replace(self.current, pending=Pending(retrying), repeated_at=repeated_at))

    def triggered(self, run_id: int, overrides: dict[str, Any] | None) -> None:
        """Write down the newest run of this generation."""
        if (self.current.run_id, self.current.pending) != (run_id, None):
            kept = overrides if overrides is not None else self.current.overrides
            self._save(replace(self.current, run_id=run_id, overrides=kept, pending=None))

    def _save(self, current: Generation) -> None:
        self.current = current
        if self._store is None:
            return
        attempt = self._attempt
        record = {
            "nonce": self._nonce,
            "max_tries": attempt.max_tries,
            "retries": attempt.retries,
            "clear_number": attempt.clear_number,
            "place": asdict(self.place),
            "current": asdict(current),
            "previous": asdict(self.previous) if self.previous else None,
        }
        self._store.set(STORE_KEY, record)
