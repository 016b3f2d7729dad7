"""
The Airflow connection to the warehouse: what DAGs use that load data, or that run dbt themselves.

WAREHOUSE_URL of `.env` wins; without it, it is the PostgreSQL that this way to run has started and
names in LOCAL_WAREHOUSE_URL. Imports nothing of Airflow.
"""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from dbt_cloud_api.user_error import UserError


WAREHOUSE = "warehouse"
SCHEMES = ("postgresql", "postgres")


def warehouse_fields(settings: Mapping[str, str]) -> dict[str, str] | None:
    """
    Give the connection, field by field; None when there is no warehouse to connect to.

    Raises `UserError` when WAREHOUSE_URL is no address of a PostgreSQL.
    """
    given = settings.get("WAREHOUSE_URL", "").strip()
    url = given or settings.get("LOCAL_WAREHOUSE_URL", "").strip()
    if not url:
        return None
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme not in SCHEMES or not (parts.hostname and parts.username and database):
        raise UserError(
            "WAREHOUSE_URL is not the address of a PostgreSQL database.",
            "It names the user, the password, the host and the database.",
            ("In .env:   WAREHOUSE_URL=postgresql://user:password@host:5432/database",),
        )
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": str(parts.port or 5432),
        "login": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "schema": unquote(database),
        # What stands behind the question mark, as sslmode=require, is for libpq.
        "extra": json.dumps(dict(parse_qsl(parts.query))),
        "description": "Written at every start: "
        + ("WAREHOUSE_URL of .env." if given else "the PostgreSQL that was started with Airflow."),
    }
