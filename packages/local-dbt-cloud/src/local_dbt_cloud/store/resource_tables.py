"""
The tables of what an account holds besides runs: one shape for all of them.

What a resource is stands in `definition`, as JSON; the columns that lists filter and sort by are
read from it by SQLite itself, so that the two can never disagree.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Integer,
    String,
    Table,
)
from sqlalchemy.types import TypeEngine

from local_dbt_cloud.store.tables import UtcDateTime, metadata


# Ids that this server gives. A file declares its own; both kinds have fourteen digits.
FIRST_IDS = {
    "projects": 70403107000001,
    "environments": 70403108000001,
    "connections": 70403109000001,
    "credentials": 70403110000001,
    "repositories": 70403111000001,
    "jobs": 70403112000001,
    "adapters": 70403113000001,
    "environment_variables": 70403114000001,
}
NUMBER, TEXT, SWITCH = BigInteger(), String(), Boolean()


def resource_table(table: str, /, **keys: TypeEngine[Any]) -> Table:
    """`keys` are the parts of the definition to filter by; `a__b` is b inside of a."""
    return Table(
        table,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("state", Integer, nullable=False),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        # What dbt_cloud_jobs.yml said when it was last applied; null for what the API created,
        # an empty object for what the file has dropped.
        Column("declaration", JSON(none_as_null=True)),
        Column("definition", JSON, nullable=False),
        *[
            Column(key, kind, Computed(f"json_extract(definition, '$.{key.replace('__', '.')}')"))
            for key, kind in keys.items()
        ],
        sqlite_autoincrement=True,
    )


projects = resource_table("projects", name=TEXT)
environments = resource_table(
    "environments",
    project_id=NUMBER,
    name=TEXT,
    type=TEXT,
    deployment_type=TEXT,
    credentials_id=NUMBER,
    connection_id=NUMBER,
    dbt_version=TEXT,
)
connections = resource_table("connections", project_id=NUMBER, name=TEXT, adapter_version=TEXT)
credentials = resource_table("credentials", project_id=NUMBER)
repositories = resource_table("repositories", project_id=NUMBER, remote_url=TEXT)
adapters = resource_table("adapters", project_id=NUMBER)
jobs = resource_table(
    "jobs",
    project_id=NUMBER,
    environment_id=NUMBER,
    name=TEXT,
    dbt_version=TEXT,
    triggers__schedule=SWITCH,
)
environment_variables = resource_table(
    "environment_variables",
    project_id=NUMBER,
    name=TEXT,
    type=TEXT,
    environment_id=NUMBER,
    job_definition_id=NUMBER,
    user_id=NUMBER,
)
