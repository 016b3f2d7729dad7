"""
Write the connection `warehouse` from `.env` at every start, as `dbt_cloud_connection.py` does its.

A listener of its own, so that a wrong WAREHOUSE_URL costs this connection and not the other one.
"""

import os
from typing import Any

import structlog
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from airflow_dbt_cloud.plugins.written_connection import write_connection
from dbt_cloud_api.secret_settings import with_secret_settings
from dbt_cloud_api.user_error import UserError
from examples.include.warehouse import WAREHOUSE, warehouse_fields


log = structlog.get_logger(__name__)


class WarehouseListener:
    """Airflow calls `on_starting` in every component that has a heartbeat, and in every task."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        # A task has no access to the metadata database, and its connection is already there.
        if type(component).__name__ != "Job":
            return
        try:
            fields = warehouse_fields(with_secret_settings(os.environ))
        except UserError as error:
            log.error("The connection was not written", connection=WAREHOUSE, reason=str(error))  # noqa: TRY400 # a traceback says nothing more
            return
        if fields:
            write_connection(WAREHOUSE, fields)
            log.info("The connection was written", connection=WAREHOUSE, host=fields["host"])


class WarehouseConnectionPlugin(AirflowPlugin):
    name = "warehouse_connection"
    listeners = [WarehouseListener()]  # noqa: RUF012 # Airflow reads a plain class attribute
