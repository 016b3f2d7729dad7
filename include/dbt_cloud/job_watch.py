"""
Start DAGs when a run of a dbt Cloud job has ended that Airflow did not start.

    ended = Asset("flights_job", watchers=[watch_job("flights_job", job_id=70403103900101)])

    with DAG("on_external_run", schedule=ended):

The event of the asset has the run's id, status and link as its payload.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from airflow.sdk import AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from include.dbt_cloud import CONNECTION_ID
from include.dbt_cloud.api_errors import DbtCloudApiError
from include.dbt_cloud.async_api import AsyncDbtCloudApi
from include.dbt_cloud.ended_runs import Told, untold
from include.dbt_cloud.pacing import backoff
from include.dbt_cloud.run_status import RunStatus


STATE = "dbt_cloud_told"
FINAL = tuple(int(status) for status in RunStatus if status.is_final)
# The triggerer writes events down about once a second; what it has not written is told again.
SECONDS_UNTIL_WRITTEN = 3.0


def watch_job(
    name: str,
    job_id: int,
    *,
    conn_id: str = CONNECTION_ID,
    statuses: Sequence[int] = (int(RunStatus.SUCCESS),),
    external_only: bool = True,
    poll_interval: float = 30,
) -> AssetWatcher:
    """Watch a job for an asset: an event for every run that ended with one of the statuses."""
    trigger = DbtCloudJobWatchTrigger(
        conn_id=conn_id,
        job_id=job_id,
        statuses=list(statuses),
        external_only=external_only,
        poll_interval=poll_interval,
    )
    return AssetWatcher(name=name, trigger=trigger)


class DbtCloudJobWatchTrigger(BaseEventTrigger):
    """
    Fires for every run of a job that has ended, for as long as a DAG waits for its asset.

    What was told is kept in the asset's own state store, so that a triggerer that starts again goes
    on where the last one stopped: nothing that ended meanwhile is lost.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: int,
        statuses: list[int],
        external_only: bool,
        poll_interval: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.conn_id, self.job_id, self.statuses = conn_id, job_id, statuses
        self.external_only, self.poll_interval = external_only, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("conn_id", "job_id", "statuses", "external_only", "poll_interval")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        store: Any = self.asset_state_store
        stored = await store.aget(STATE) or {}
        told = Told.from_stored(stored.get("told")) or Told.now()
        begin = stored.get("begin") or told.until
        api = AsyncDbtCloudApi(self.conn_id, None)
        failures = 0
        try:
            await store.aset(STATE, {"told": told.as_stored(), "begin": begin})
            while True:
                try:
                    listed = await api.ended_runs(self.job_id, self.statuses, told.looks_from)
                    failures = 0
                except DbtCloudApiError as error:
                    # Also a refused token: nobody waits for this, so it can wait for a new one.
                    failures += 1
                    self.log.warning("%s", error)
                    await asyncio.sleep(max(backoff(failures, error.retry_after), 1))
                    continue
                news = untold(
                    listed, told, datetime.fromisoformat(begin), external_only=self.external_only
                )
                for run in news:
                    yield TriggerEvent(_payload(run))  # type: ignore[no-untyped-call] # Airflow's
                    told = told.and_also(run)
                if news:
                    await asyncio.sleep(SECONDS_UNTIL_WRITTEN)
                    told = told.without_the_old(listed)
                    await store.aset(STATE, {"told": told.as_stored(), "begin": begin})
                await asyncio.sleep(self.poll_interval)
        finally:
            await api.close()


def _payload(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "dbt_cloud_run_id": run["id"],
        "status": run["status_humanized"],
        "link": run["href"],
        "cause": (run.get("trigger") or {}).get("cause"),
    }
