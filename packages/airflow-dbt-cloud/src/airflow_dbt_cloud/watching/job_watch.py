"""
Start DAGs when a run of a dbt Cloud job has ended that Airflow did not start.

    ended = Asset("flights_job", watchers=[watch_job("flights_job", job_id=70403103900101)])

    with DAG("on_external_run", schedule=ended):

The event of the asset has the run's id, status and link as its payload.

What was told is written down by `plugins/announced_runs.py`, in the transaction that writes the
event: whatever dies, there is neither an event without its note nor a note without its event.
"""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow.sdk import AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.watching.announced_runs import NOTED_UNDER
from airflow_dbt_cloud.watching.ended_runs import LOOKS_BACK, AnnouncedRuns, ended_at, untold
from airflow_dbt_cloud.watching.first_runs import FirstRuns
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.run_status import RunStatus


# The triggerer writes events down about once a second. A watcher that takes over from another
# waits for that before it reads what was told.
SECONDS_UNTIL_WRITTEN = 3.0
# After this, whoever should have written the note beside the event is not there.
SECONDS_WITHOUT_A_NOTE = 60.0


Answer = TypeVar("Answer")


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
    on where the last one stopped.
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

    @property
    def state_key(self) -> str:
        """Name what was told, so that two watchers of one asset do not share it."""
        which = "external" if self.external_only else "all"
        statuses = ",".join(map(str, self.statuses))
        return f"dbt_cloud_told {self.conn_id} {self.job_id} {statuses} {which}"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        stores = _store_of_each_asset(self.asset_state_store)
        api = AsyncDbtCloudApi(self.conn_id, None)
        try:
            told = await self._noted(stores)
            if told is None:
                told = await self._beginning(api)
                await self._note(stores, told)
            await asyncio.sleep(SECONDS_UNTIL_WRITTEN)
            async for event in self._events(api, stores, told):
                yield event
        finally:
            await api.close()

    async def _events(
        self, api: AsyncDbtCloudApi, stores: list[Any], told: AnnouncedRuns
    ) -> AsyncIterator[TriggerEvent]:
        first_runs = FirstRuns(api)
        last_told, looked_from = time.monotonic(), told.looks_from
        while True:
            since = max(looked_from, told.looks_from)
            listed = await self._patiently(
                functools.partial(api.ended_runs, self.job_id, self.statuses, since)
            )
            # Runs that are none of ours to tell must not be read again for ever.
            ends = [ended_at(run) - LOOKS_BACK for run in listed]
            looked_from = max(looked_from, *ends) if ends else looked_from
            noted = await self._noted(stores) or told
            told = told.joined(noted)
            for run in untold(listed, told):
                is_ours = functools.partial(first_runs.is_from_airflow, run)
                if self.external_only and await self._patiently(is_ours):
                    continue
                yield TriggerEvent(self._payload(run))  # type: ignore[no-untyped-call] # Airflow's
                told = told.and_also(run["id"], run["finished_at"])
                last_told = time.monotonic()
            if told != noted and time.monotonic() - last_told > SECONDS_WITHOUT_A_NOTE:
                self.log.warning(
                    "Nobody notes which runs were told: the plugin dbt_cloud_announced_runs is "
                    "not loaded. A triggerer that dies within a minute of an event tells it "
                    "twice."
                )
                await self._note(stores, told)
            await asyncio.sleep(self.poll_interval)

    async def _beginning(self, api: AsyncDbtCloudApi) -> AnnouncedRuns:
        """Begin with what ends from now on by dbt Cloud's clock, which its first answer tells."""
        began = time.monotonic()
        now = datetime.now(UTC)
        await self._patiently(lambda: api.ended_runs(self.job_id, self.statuses, now))
        return AnnouncedRuns.now(api.seconds_ahead - (time.monotonic() - began))

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer: nobody waits for it, so even a refused token can wait."""
        failures = 0
        while True:
            try:
                return await ask()
            except DbtCloudApiError as error:
                failures += 1
                self.log.warning("%s", error)
                await asyncio.sleep(max(backoff(failures, error.retry_after), 1))

    async def _noted(self, stores: list[Any]) -> AnnouncedRuns | None:
        found = [AnnouncedRuns.from_stored(await store.aget(self.state_key)) for store in stores]
        noted = [each for each in found if each is not None]
        return functools.reduce(AnnouncedRuns.joined, noted) if noted else None

    async def _note(self, stores: list[Any], told: AnnouncedRuns) -> None:
        for store in stores:
            await store.aset(self.state_key, told.as_stored())

    def _payload(self, run: dict[str, Any]) -> dict[str, Any]:
        return {
            "dbt_cloud_run_id": run["id"],
            "status": run["status_humanized"],
            "link": run["href"],
            "cause": (run.get("trigger") or {}).get("cause"),
            "finished_at": run["finished_at"],
            NOTED_UNDER: self.state_key,
        }


def _store_of_each_asset(stores: Any) -> list[Any]:
    """Give the state store of every asset with this watcher: Airflow runs equal ones as one."""
    return [*stores._by_name.values(), *stores._by_uri.values()]  # noqa: SLF001 # no public way without their names
