"""
What the SQLite file holds.

Identifiers need 64 bits, as in dbt Cloud. They begin at fourteen digits, so that a client which
takes them for 32 bits fails here and not in production.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)


FIRST_RUN_ID = 70403104000001
FIRST_STEP_ID = 70403106000001
# The trigger of a run is remembered with it; its id is the run's, moved into a range of its own.
TRIGGER_ID_OFFSET = 1_000_000_000


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones; everything here is UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return value.replace(tzinfo=UTC) if value else None


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", BigInteger, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("environment_id", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("status_message", String),
    Column("dbt_version", String, nullable=False),
    Column("git_branch", String),
    Column("git_sha", String),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("dequeued_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("artifacts_saved", Boolean, nullable=False, default=False),
    Column("has_docs_generated", Boolean, nullable=False, default=False),
    Column("has_sources_generated", Boolean, nullable=False, default=False),
    # The trigger's request fields, and why the run exists ("api", "rerun").
    Column("trigger", JSON, nullable=False),
    Column("cause_category", String, nullable=False),
    # The commands between `dbt deps` and the docs, as they were when the run was triggered.
    Column("commands", JSON, nullable=False),
    Column("failed_command", Integer),
    Column("retrying_run_id", BigInteger),
    Column("retry_not_supported_reason", String),
    Column("deferring_run_id", BigInteger),
    # The tick of the schedule that the run is for: no two runs of a job are for the same one.
    Column("scheduled_for", UtcDateTime),
    # A resumed run of a pull request is one too, though its `cause_category` is "rerun".
    Column("is_ci", Boolean),
    Index("runs_by_job", "job_id", "id"),
    Index("runs_by_status", "status"),
    Index("runs_by_tick", "job_id", "scheduled_for", unique=True),
    sqlite_autoincrement=True,
)

steps = Table(
    "steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", BigInteger, nullable=False),
    Column("index", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("command", String),
    Column("status", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("steps_by_run", "run_id", "index", unique=True),
    sqlite_autoincrement=True,
)
