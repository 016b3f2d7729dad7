"""
Watch the job that `.env` names, for an asset.

Its number is in the Airflow connection, which a DAG file cannot ask: so the trigger does, each
time it starts.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.sdk import AssetWatcher
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import TriggerEvent

from airflow_dbt_cloud.watching.job_watch import DbtCloudJobWatchTrigger
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.run_status import RunStatus


THAT_OF_THE_CONNECTION = 0
SUCCESS_OR_ERROR = (int(RunStatus.SUCCESS), int(RunStatus.ERROR))


def watch_own_job(
    name: str, *, statuses: Iterable[int] = SUCCESS_OR_ERROR, poll_interval: float = 10
) -> AssetWatcher:
    """Watch for runs of that job that have ended and that Airflow did not start."""
    trigger = OwnJobWatchTrigger(
        conn_id=CONNECTION_ID,
        job_id=THAT_OF_THE_CONNECTION,
        statuses=list(statuses),
        external_only=True,
        poll_interval=poll_interval,
    )
    return AssetWatcher(name=name, trigger=trigger)


class OwnJobWatchTrigger(DbtCloudJobWatchTrigger):
    """The same, for the job that the connection's extra names."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        connection = await get_async_connection(self.conn_id)
        self.job_id = int(connection.extra_dejson["job_id"])
        async for event in super().run():
            yield event


def runs_to_report(
    triggering_asset_events: Mapping[Any, Iterable[Any]] | None = None,
    params: Mapping[str, Any] | None = None,
) -> list[int]:
    """Name the run of the form, or those whose end has started this dag_run, oldest first."""
    if params and params["run"]:
        return [int(params["run"])]
    events = [event for of_asset in (triggering_asset_events or {}).values() for event in of_asset]
    if not events:
        raise AirflowSkipException("Started by hand and without a run: there is none to report.")
    return sorted({int(event.extra["payload"]["dbt_cloud_run_id"]) for event in events})
