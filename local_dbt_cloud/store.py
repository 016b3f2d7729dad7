"""
What is remembered between requests, and over a restart: jobs, runs and their steps.

Every method is one transaction and safe to call from any thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, create_engine, event, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from local_dbt_cloud.run_status import ACTIVE, UNFINISHED, RunStatus
from local_dbt_cloud.stored_filters import condition, ordering
from local_dbt_cloud.tables import FIRST_RUN_ID, FIRST_STEP_ID, jobs, metadata, runs, steps
from local_dbt_cloud.timestamps import now
from local_dbt_cloud.user_error import UserError


ACTIVE_STATE, DELETED_STATE = 1, 2


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    project_id: int
    environment_id: int
    name: str
    state: int
    created_at: datetime
    updated_at: datetime
    declared: bool
    definition: dict[str, Any]


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


class Store:
    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.engine = open_engine(path)
        except (OSError, SQLAlchemyError) as error:
            raise UserError(
                f"the local dbt Cloud's state in {path} cannot be opened",
                f"Opening it gave: {' '.join(str(getattr(error, 'orig', error)).split())}.",
                ("make reset   (deletes runs and logs)", "or set LOCAL_DBT_CLOUD_STATE"),
            ) from None

    def close(self) -> None:
        self.engine.dispose()

    def created_at(self) -> datetime:
        """When the oldest job was declared: the birth of everything that a file declares."""
        with self.engine.connect() as reader:
            oldest = reader.execute(select(jobs.c.created_at).order_by(jobs.c.created_at)).first()
        return oldest[0] if oldest else now()

    # Jobs

    def declare_jobs(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Make the declared jobs what the file says; delete, softly, those that it dropped."""
        with self.engine.begin() as transaction:
            forgotten = update(jobs).where(jobs.c.declared).values(state=DELETED_STATE)
            transaction.execute(forgotten)
            for definition in definitions:
                self._declare_job(transaction, dict(definition))

    def _declare_job(self, transaction: Connection, definition: dict[str, Any]) -> None:
        before = transaction.execute(
            select(jobs).where(jobs.c.id == definition["linked_id"])
        ).first()
        moment = now()
        values = {
            "project_id": definition["project_id"],
            "environment_id": definition["environment_id"],
            "name": definition["name"],
            "state": ACTIVE_STATE,
            "declared": True,
            "definition": definition,
            "updated_at": moment,
        }
        if before is None:
            values |= {"id": definition["linked_id"], "created_at": moment}
            transaction.execute(insert(jobs).values(values))
            return
        if before.definition == definition:
            values["updated_at"] = before.updated_at
        transaction.execute(update(jobs).where(jobs.c.id == before.id).values(values))

    def find_job(self, job_id: int) -> Job | None:
        """A deleted job is still found: its runs outlive it."""
        with self.engine.connect() as reader:
            row = reader.execute(select(jobs).where(jobs.c.id == job_id)).first()
        return None if row is None else to_job(row)

    def list_jobs(
        self, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Job], int]:
        rows, total = self._list(jobs, filters, order_by, limit, offset)
        return [to_job(row) for row in rows], total

    # Runs

    def add_run(self, **values: Any) -> Run:
        moment = now()
        values |= {"status": RunStatus.QUEUED, "created_at": moment, "updated_at": moment}
        with self.engine.begin() as transaction:
            row = transaction.execute(insert(runs).values(values).returning(runs)).one()
        return to_run(row)

    def update_run(self, run_id: int, **values: Any) -> bool:
        """
        Change a run that has not ended; answer whether it had not.

        A run that has ended never changes again: whoever ends it first (success, cancel,
        timeout) has decided.
        """
        unfinished = (runs.c.id == run_id) & runs.c.status.in_(UNFINISHED)
        change = update(runs).where(unfinished).values({**values, "updated_at": now()})
        with self.engine.begin() as transaction:
            return transaction.execute(change).rowcount == 1

    def find_run(self, run_id: int) -> Run | None:
        with self.engine.connect() as reader:
            row = reader.execute(select(runs).where(runs.c.id == run_id)).first()
        return None if row is None else to_run(row)

    def list_runs(
        self, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Run], int]:
        rows, total = self._list(runs, filters, order_by, limit, offset)
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
            interrupted = runs.c.status.in_(ACTIVE)
            ids = list(transaction.scalars(select(runs.c.id).where(interrupted)))
            reason_code = "RETRY_NO_RUN_RESULTS"
            transaction.execute(
                update(runs)
                .where(interrupted)
                .values(**ended, status_message=reason, retry_not_supported_reason=reason_code)
            )
            transaction.execute(update(steps).where(steps.c.finished_at.is_(None)).values(ended))
        return ids

    def _list(
        self, table: Any, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Row[Any]], int]:
        where = [condition(table, name, value) for name, value in filters.items()]
        page = select(table).where(*where).order_by(*ordering(table, order_by))
        with self.engine.connect() as reader:
            rows = list(reader.execute(page.limit(limit).offset(offset)).all())
            count = select(func.count()).select_from(table).where(*where)
            total = reader.execute(count).scalar_one()
        return rows, total


def open_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
    event.listen(engine, "connect", prepare_connection)
    with engine.begin() as transaction:
        metadata.create_all(transaction)
        for name, first in (("runs", FIRST_RUN_ID), ("steps", FIRST_STEP_ID)):
            transaction.exec_driver_sql(
                "insert into sqlite_sequence (name, seq) select ?, ?"
                " where not exists (select 1 from sqlite_sequence where name = ?)",
                (name, first - 1, name),
            )
    return engine


def prepare_connection(connection: Any, _record: Any) -> None:
    # A reader never waits for the writer, and a commit survives the death of this process.
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")


def to_job(row: Row[Any]) -> Job:
    return Job(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def to_run(row: Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - as above
    return Run(**values | {"status": RunStatus(values["status"])})


def to_step(row: Row[Any]) -> Step:
    values = dict(row._mapping)  # noqa: SLF001 - as above
    return Step(**values | {"status": RunStatus(values["status"])})
