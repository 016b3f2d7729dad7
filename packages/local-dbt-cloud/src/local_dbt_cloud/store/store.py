"""
What is remembered between requests, and over a restart: what the account holds, runs, their steps.

Every method is one transaction and safe to call from any thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from dbt_cloud_api.run_status import UNFINISHED, RunStatus
from local_dbt_cloud.store import resource_defaults as defaults
from local_dbt_cloud.store import resource_tables as tables
from local_dbt_cloud.store.database import open_database
from local_dbt_cloud.store.resource_store import ACTIVE_STATE, DELETED_STATE, Definition, Resources
from local_dbt_cloud.store.stored_filters import read_page
from local_dbt_cloud.store.stored_jobs import Job, to_job
from local_dbt_cloud.store.tables import metadata, runs, steps
from local_dbt_cloud.store.webhook_store import WebhookStore
from local_dbt_cloud.wire.timestamps import now


__all__ = ["ACTIVE_STATE", "DELETED_STATE", "Job", "Run", "Step", "Store"]

IN_PROGRESS = (RunStatus.STARTING, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    job_id: int
    project_id: int
    environment_id: int
    status: RunStatus
    status_message: str | None
    dbt_version: str
    git_branch: str | None
    git_sha: str | None
    created_at: datetime
    updated_at: datetime
    dequeued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    artifacts_saved: bool
    has_docs_generated: bool
    has_sources_generated: bool
    trigger: dict[str, Any]
    cause_category: str
    commands: list[str]
    failed_command: int | None
    retrying_run_id: int | None
    retry_not_supported_reason: str | None
    deferring_run_id: int | None = None
    scheduled_for: datetime | None = None
    is_ci: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    id: int
    run_id: int
    index: int
    name: str
    command: str | None
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunListener(Protocol):
    """`note` is part of the transaction that changes a run's status; `committed` comes after it."""

    def note(self, transaction: Connection, run: Run) -> None: ...

    def committed(self) -> None: ...


class Store:
    def __init__(self, path: Path) -> None:
        self.listeners: list[RunListener] = []
        self.engine = engine = open_database(path)
        self.projects = Resources(engine, tables.projects, defaults.PROJECT)
        self.environments = Resources(engine, tables.environments, defaults.ENVIRONMENT)
        self.connections = Resources(engine, tables.connections, defaults.CONNECTION)
        self.credentials = Resources(engine, tables.credentials, defaults.CREDENTIALS)
        self.repositories = Resources(engine, tables.repositories, defaults.REPOSITORY)
        self.adapters = Resources(engine, tables.adapters, defaults.ADAPTER)
        self.jobs = Resources(engine, tables.jobs, defaults.JOB)
        self.environment_variables = Resources(
            engine, tables.environment_variables, defaults.ENVIRONMENT_VARIABLE
        )
        self.webhooks = WebhookStore(engine)

    def close(self) -> None:
        self.engine.dispose()

    def clear(self) -> None:
        """Forget everything. Ids go on from where they were, so that no old one comes back."""
        with self.engine.begin() as transaction:
            for table in metadata.tables.values():
                transaction.execute(delete(table))

    def declare(self, declared: Mapping[str, Mapping[int, Definition]]) -> None:
        """Take over, by kind and id, what the file says that it did not say before."""
        with self.engine.begin() as transaction:
            for kind, definitions in declared.items():
                resources: Resources = getattr(self, kind)
                resources.declare(transaction, definitions)

    # Jobs

    def find_job(self, job_id: int) -> Job | None:
        """A deleted job is still found: its runs outlive it."""
        found = self.jobs.find(job_id)
        return to_job(found) if found else None

    def scheduled_jobs(self) -> list[Job]:
        """Those that are not deleted, and whose schedule is on."""
        return [to_job(job) for job in self.jobs.active(triggers_schedule=True)]

    def list_jobs(
        self, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Job], int]:
        jobs, total = self.jobs.page(filters, order_by, limit, offset)
        return [to_job(job) for job in jobs], total

    # Runs

    def add_run(self, **values: Any) -> Run:
        with self.engine.begin() as transaction:
            return self.add_run_within(transaction, **values)

    def add_run_within(self, transaction: Connection, **values: Any) -> Run:
        moment = now()
        values |= {"status": RunStatus.QUEUED, "created_at": moment, "updated_at": moment}
        return to_run(transaction.execute(insert(runs).values(values).returning(runs)).one())

    def update_run(self, run_id: int, **values: Any) -> bool:
        """
        Change a run that has not ended; answer whether it had not.

        A run that has ended never changes again: whoever ends it first (success, cancel,
        timeout) has decided.
        """
        unfinished = (runs.c.id == run_id) & runs.c.status.in_(UNFINISHED)
        change = update(runs).where(unfinished).values({**values, "updated_at": now()})
        with self.engine.begin() as transaction:
            changed = transaction.execute(change).rowcount == 1
            if changed and "status" in values:
                self._tell(transaction, [run_id])
        if changed and "status" in values:
            self._told()
        return changed

    def find_run(self, run_id: int) -> Run | None:
        with self.engine.connect() as reader:
            row = reader.execute(select(runs).where(runs.c.id == run_id)).first()
        return None if row is None else to_run(row)

    def list_runs(
        self, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Run], int]:
        rows, total = read_page(self.engine, runs, filters, order_by, limit, offset)
        return [to_run(row) for row in rows], total

    def unfinished_runs(self) -> list[Run]:
        """Oldest first."""
        with self.engine.connect() as reader:
            rows = reader.execute(
                select(runs).where(runs.c.status.in_(UNFINISHED)).order_by(runs.c.id)
            ).all()
        return [to_run(row) for row in rows]

    def latest_run_ids(self, job_ids: Iterable[int]) -> dict[int, int]:
        """By job, the id of its newest run."""
        newest = select(runs.c.job_id, func.max(runs.c.id)).group_by(runs.c.job_id)
        with self.engine.connect() as reader:
            rows = reader.execute(newest.where(runs.c.job_id.in_(set(job_ids)))).all()
        return dict(map(tuple, rows))

    def latest_scheduled_for(self, job_id: int) -> datetime | None:
        """The newest tick of its schedule that a run of the job is for."""
        newest = select(func.max(runs.c.scheduled_for)).where(runs.c.job_id == job_id)
        with self.engine.connect() as reader:
            found: datetime | None = reader.execute(newest).scalar_one()
        return found

    # Steps

    def add_step(self, run_id: int, index: int, name: str, command: str | None) -> Step:
        moment = now()
        values: dict[str, Any] = {"created_at": moment, "updated_at": moment, "started_at": moment}
        values |= {"run_id": run_id, "index": index, "name": name, "command": command}
        values["status"] = RunStatus.RUNNING
        with self.engine.begin() as transaction:
            row = transaction.execute(insert(steps).values(values).returning(steps)).one()
        return to_step(row)

    def end_step(self, step_id: int, status: RunStatus) -> None:
        moment = now()
        change = update(steps).where(steps.c.id == step_id, steps.c.finished_at.is_(None))
        with self.engine.begin() as transaction:
            transaction.execute(change.values(status=status, finished_at=moment, updated_at=moment))

    def find_step(self, step_id: int) -> Step | None:
        with self.engine.connect() as reader:
            row = reader.execute(select(steps).where(steps.c.id == step_id)).first()
        return None if row is None else to_step(row)

    def list_steps(self, run_ids: Iterable[int]) -> dict[int, list[Step]]:
        """By run, its steps in their order; every run has an entry."""
        found: dict[int, list[Step]] = {run_id: [] for run_id in run_ids}
        query = select(steps).where(steps.c.run_id.in_(found)).order_by(steps.c.index)
        with self.engine.connect() as reader:
            for row in reader.execute(query):
                found[row.run_id].append(to_step(row))
        return found

    def end_interrupted_runs(self, reason: str) -> list[int]:
        """End as an error what was in progress when an earlier server died; answer the run ids."""
        moment = now()
        ended = {"status": RunStatus.ERROR, "finished_at": moment, "updated_at": moment}
        with self.engine.begin() as transaction:
            interrupted = runs.c.status.in_(IN_PROGRESS)
            ids = list(transaction.scalars(select(runs.c.id).where(interrupted)))
            reason_code = "RETRY_NO_RUN_RESULTS"
            transaction.execute(
                update(runs)
                .where(interrupted)
                .values(**ended, status_message=reason, retry_not_supported_reason=reason_code)
            )
            # The run is in error, and its step is not: it was cut short.
            cut_short = {**ended, "status": RunStatus.CANCELLED}
            transaction.execute(
                update(steps).where(steps.c.finished_at.is_(None)).values(cut_short)
            )
            self._tell(transaction, ids)
        self._told()
        return ids

    # Who wants to know when the status of a run changes

    def _tell(self, transaction: Connection, run_ids: Iterable[int]) -> None:
        if not self.listeners:
            return
        for row in transaction.execute(select(runs).where(runs.c.id.in_(set(run_ids)))).all():
            for listener in self.listeners:
                listener.note(transaction, to_run(row))

    def _told(self) -> None:
        for listener in self.listeners:
            listener.committed()


def to_run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Run(**values | {"status": RunStatus(values["status"])})


def to_step(row: Row[Any]) -> Step:
    values = dict(row._mapping)  # noqa: SLF001 - as above
    return Step(**values | {"status": RunStatus(values["status"])})
