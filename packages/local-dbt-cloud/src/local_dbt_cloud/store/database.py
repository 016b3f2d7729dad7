"""Opens the SQLite file, with every table in it."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.store.resource_tables import FIRST_IDS
from local_dbt_cloud.store.schema_upgrade import add_what_is_missing
from local_dbt_cloud.store.tables import FIRST_RUN_ID, FIRST_STEP_ID, metadata


def open_database(path: Path) -> Engine:
    """Raise `UserError` when the file cannot be opened, or is none of ours."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_engine(path)
    except (OSError, SQLAlchemyError) as error:
        raise UserError(
            f"the local dbt Cloud's state in {path} cannot be opened",
            f"Opening it gave: {' '.join(str(getattr(error, 'orig', error)).split())}.",
            ("make reset   (deletes runs and logs)", "or set LOCAL_DBT_CLOUD_STATE"),
        ) from None


def open_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
    event.listen(engine, "connect", prepare_connection)
    with engine.begin() as transaction:
        add_what_is_missing(transaction, metadata)
        for name, first in {"runs": FIRST_RUN_ID, "steps": FIRST_STEP_ID, **FIRST_IDS}.items():
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
    # SQLite's own knows the letters of English only.
    connection.create_function("lower", 1, lower, deterministic=True)


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
