"""
Write the connection `dbt_cloud_default` from `.env` at every start.

It goes into the metadata database, not into an `AIRFLOW_CONN_…` variable, because a connection
from a variable is invisible in Admin, Connections and cannot be tested there.
It is written when the scheduler, the triggerer or the DAG processor starts, because that works in
every way to run Airflow: here, in containers, and under `astro dev start`.
"""

import json
import os
from typing import Any

import structlog
from airflow.listeners import hookimpl
from airflow.models.connection import Connection
from airflow.plugins_manager import AirflowPlugin
from airflow.utils.session import create_session
from sqlalchemy import delete

from airflow_dbt_cloud.failing.notifications import (
    NOTIFICATIONS,
    WRITTEN_FROM_DOTENV,
    apprise_config,
)
from airflow_dbt_cloud.plugins.written_connection import write_connection
from dbt_cloud_api.connection_settings import CONNECTION_ID, connection_from
from dbt_cloud_api.secret_settings import with_secret_settings
from dbt_cloud_api.user_error import UserError


log = structlog.get_logger(__name__)


def write_notifications(told: list[dict[str, str]]) -> None:
    """Say where failures are told; with no address, take back only what `.env` said before."""
    if told:
        extra = json.dumps({"config": told})
        fields = {"conn_type": "apprise", "extra": extra, "description": WRITTEN_FROM_DOTENV}
        write_connection(NOTIFICATIONS, fields)
        return
    with create_session() as session:
        session.execute(
            delete(Connection).where(
                Connection.conn_id == NOTIFICATIONS,
                Connection.description == WRITTEN_FROM_DOTENV,
            )
        )


class ConnectionListener:
    """Airflow calls `on_starting` in every component that has a heartbeat, and in every task."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        # A task has no access to the metadata database, and its connection is already there.
        if type(component).__name__ != "Job":
            return
        try:
            settings = with_secret_settings(os.environ)
            fields = connection_from(settings).fields()
        except UserError as error:
            log.error("The connection was not written", connection=CONNECTION_ID, reason=str(error))  # noqa: TRY400 # a traceback says nothing more
            return
        told = apprise_config(settings.get("DBT_CLOUD_NOTIFICATION_URLS", ""))
        write_connection(CONNECTION_ID, fields)
        write_notifications(told)
        log.info("The connection was written", connection=CONNECTION_ID, host=fields["host"])


class DbtCloudConnectionPlugin(AirflowPlugin):
    name = "dbt_cloud_connection"
    listeners = [ConnectionListener()]  # noqa: RUF012 # Airflow reads a plain class attribute
