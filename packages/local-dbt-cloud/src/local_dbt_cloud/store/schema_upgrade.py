"""Brings a state that an older version has written up to date."""

from sqlalchemy import Connection, MetaData, inspect
from sqlalchemy.schema import CreateColumn


def add_what_is_missing(transaction: Connection, metadata: MetaData) -> None:
    """
    Add new columns and indexes to tables that exist.

    Every column that came after the first version may be null, so this is all it takes.
    """
    drop_jobs_of_the_first_version(transaction)
    metadata.create_all(transaction)
    inspector = inspect(transaction)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=transaction.dialect)
                transaction.exec_driver_sql(f"alter table {table.name} add column {definition}")
        for index in table.indexes:
            index.create(transaction, checkfirst=True)


def drop_jobs_of_the_first_version(transaction: Connection) -> None:
    """Its columns do not fit; all its jobs came from dbt_cloud_jobs.yml, and will again."""
    inspector = inspect(transaction)
    if not inspector.has_table("jobs"):
        return
    if "declared" in {column["name"] for column in inspector.get_columns("jobs")}:
        transaction.exec_driver_sql("drop table jobs")
