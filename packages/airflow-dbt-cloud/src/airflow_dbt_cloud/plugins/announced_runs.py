"""
Write an event of an asset watcher once: with a note of its run, and not where there is one.

Airflow writes whatever event comes, also that of a triggerer that stood still for longer than
Airflow waits for it, and whose successor has told the same run long ago. So this stands before the
call that writes, in the process of the triggerer that has the database. Event and note are one
transaction: either is there exactly if the other is.
"""

from collections.abc import Iterator
from typing import Any

import structlog
from airflow._shared.state import AssetScope
from airflow.models.asset import AssetWatcherModel
from airflow.models.trigger import Trigger
from airflow.plugins_manager import AirflowPlugin
from airflow.state import get_state_backend
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_dbt_cloud.watching.announced_runs import AnnouncedRun


log = structlog.get_logger(__name__)
write_event = Trigger.submit_event


def write_once(trigger_id: int, event: Any, **options: Any) -> None:
    """Stand for `Trigger.submit_event`; what no watcher of ours has fired goes straight there."""
    told = AnnouncedRun.of_payload(event.payload)
    if told is None:
        write_event(trigger_id, event, **options)
        return
    with create_session() as session:
        # Whoever else is about to write an event of this watcher does so before us or after us.
        session.execute(select(Trigger.id).where(Trigger.id == trigger_id).with_for_update())
        notes = dict(notes_of(trigger_id, told.key, session))
        if any(told.is_in(note) for note in notes.values()):
            log.warning("Another triggerer has told this run already", run=told.run_id)
            return
        for asset, note in notes.items():
            get_state_backend().set(asset, told.key, told.noted(note), session=session)
        write_event(trigger_id, event, session=session)


def notes_of(
    trigger_id: int, key: str, session: Session
) -> Iterator[tuple[AssetScope, str | None]]:
    """Give each asset that has the watcher, with what is noted of it."""
    watched = select(AssetWatcherModel.asset_id).where(AssetWatcherModel.trigger_id == trigger_id)
    for asset_id in session.scalars(watched).all():
        asset = AssetScope(asset_id=asset_id)
        yield asset, get_state_backend().get(asset, key, session=session)


class DbtCloudAnnouncedRunsPlugin(AirflowPlugin):
    name = "dbt_cloud_announced_runs"


Trigger.submit_event = staticmethod(write_once)  # type: ignore[method-assign] # asked for by name
