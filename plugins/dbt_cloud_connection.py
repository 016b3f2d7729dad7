"""
Write the connection `dbt_cloud_default` from `.env` at every start.

It goes into the metadata database, not into an `AIRFLOW_CONN_…` variable, because a connection
from a variable is invisible in Admin, Connections and cannot be tested there.
It is written when the scheduler, the triggerer or the DAG processor starts, because that works in
every way to run Airflow: here, in containers, and under `astro dev start`.
"""

import os
from typing import Any

import structlog
from airflow.listeners import hookimpl
from airflow.models.connection import Connection
from airflow.plugins_manager import AirflowPlugin
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from include.dbt_cloud import CONNECTION_ID
from include.dbt_cloud.connection import connection_from
from include.dbt_cloud.settings_error import SettingsError


log = structlog.get_logger(__name__)


def write_connection(fields: dict[str, str]) -> None:
    """Create the connection or bring it up to date, in one transaction."""
    with create_session() as session:
        connection = session.scalar(select(Connection).where(Connection.conn_id == CONNECTION_ID))
        if connection is None:
            connection = Connection(conn_id=CONNECTION_ID)
            session.add(connection)
        # `set_password` and `set_extra` encrypt; the others are plain columns.
        connection.set_password(fields["password"])
        connection.set_extra(fields["extra"])
        for name in ("conn_type", "host", "login", "description"):
            setattr(connection, name, fields[name])


class ConnectionListener:
    """Airflow calls `on_starting` in every component that has a heartbeat, and in every task."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        # A task has no access to the metadata database, and its connection is already there.
        if type(component).__name__ != "Job":
            return
        try:
            fields = connection_from(os.environ).fields()
        except SettingsError as error:
            log.error("The connection was not written", connection=CONNECTION_ID, reason=str(error))  # noqa: TRY400 # a traceback says nothing more
            return
        try:
            write_connection(fields)
        except IntegrityError:
            # Another component created it in the same instant: what is left is an update.
            write_connection(fields)
        log.info("The connection was written", connection=CONNECTION_ID, host=fields["host"])


class DbtCloudConnectionPlugin(AirflowPlugin):
    name = "dbt_cloud_connection"
    listeners = [ConnectionListener()]  # noqa: RUF012 # Airflow reads a plain class attribute
