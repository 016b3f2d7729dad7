"""
Write down which runs the asset watchers have told, in the transaction that writes the event.

Airflow calls a listener inside of it, in the process of the triggerer that has the database. What
is written with the same session is there exactly if the event is.
"""

from typing import Any

import structlog
from airflow import settings
from airflow._shared.state import AssetScope
from airflow.listeners import hookimpl
from airflow.models.asset import AssetModel
from airflow.plugins_manager import AirflowPlugin
from airflow.state import get_state_backend
from sqlalchemy import select

from airflow_dbt_cloud.watching.announced_runs import AnnouncedRun


log = structlog.get_logger(__name__)


class AnnouncedRunListener:
    @hookimpl
    def on_asset_event_emitted(self, asset_event: Any) -> None:
        told = AnnouncedRun.of_event(asset_event.extra)
        if told is not None:
            note(told, asset_event.asset)


def note(told: AnnouncedRun, asset: Any) -> None:
    # One session for each thread: it is the one that is about to commit the event.
    session = settings.get_session()()  # type: ignore[no-untyped-call] # Airflow's
    if not session.in_transaction():
        log.error("Not in the event's transaction, so nothing is noted", run=told.run_id)
        return
    asset_id = session.scalar(
        select(AssetModel.id).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)
    )
    where = AssetScope(asset_id=asset_id)
    backend = get_state_backend()
    stored = backend.get(where, told.key, session=session)
    backend.set(where, told.key, told.noted(stored), session=session)


class DbtCloudAnnouncedRunsPlugin(AirflowPlugin):
    name = "dbt_cloud_announced_runs"
    listeners = [AnnouncedRunListener()]  # noqa: RUF012 # Airflow reads a plain class attribute
