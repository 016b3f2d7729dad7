"""The note that a run was told is there exactly if Airflow has the event."""

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.assets.manager import AssetManager
from airflow.listeners.listener import get_listener_manager
from airflow.models.asset import AssetActive, AssetEvent, AssetModel, AssetWatcherModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from include.dbt_cloud.ended_runs import Told
from include.dbt_cloud.job_watch import DbtCloudJobWatchTrigger


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")

RUN = {
    "id": 7,
    "status_humanized": "Success",
    "href": "https://cloud/runs/7/",
    "finished_at": str(datetime.now(UTC)),
}


@pytest.fixture
def listening():
    """The plugin's listener, loaded from its file as Airflow does, and no other."""
    file = Path(__file__).parents[2] / "plugins" / "dbt_cloud_told_runs.py"
    spec = importlib.util.spec_from_file_location("dbt_cloud_told_runs", file)
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    manager = get_listener_manager()
    manager.clear()
    manager.add_listener(plugin.ToldRunListener())
    yield
    manager.clear()


@pytest.fixture
def watcher():
    """A trigger as `watch_job` makes it."""
    return DbtCloudJobWatchTrigger(
        conn_id="dbt_cloud_default", job_id=1, statuses=[10], external_only=True, poll_interval=1
    )


@pytest.fixture
def trigger_id(airflow_database, watcher):
    """An asset with the watcher, as Airflow keeps it."""
    path, kwargs = watcher.serialize()
    with create_session() as session:
        asset = AssetModel(name="job_ended", uri="job_ended")
        trigger = Trigger(path, kwargs)
        session.add_all([asset, trigger])
        session.flush()
        session.add(AssetActive(name=asset.name, uri=asset.uri))
        session.add(AssetWatcherModel(name="w", asset_id=asset.id, trigger_id=trigger.id))
        given = trigger.id, asset.id
    yield given[0]
    with create_session() as session:
        for model in (AssetWatcherModel, AssetEvent, AssetStateStoreModel, AssetActive):
            session.execute(delete(model))
        session.execute(delete(AssetModel).where(AssetModel.id == given[1]))
        session.execute(delete(Trigger).where(Trigger.id == given[0]))


def events_and_note(key):
    with create_session() as session:
        events = session.scalars(select(AssetEvent.extra)).all()
        note = session.scalar(
            select(AssetStateStoreModel.value).where(AssetStateStoreModel.key == key)
        )
        return len(events), Told.from_stored(json.loads(note)) if note else None


@pytest.mark.usefixtures("listening")
class TestNote:
    def test_is_written_with_the_event(self, watcher, trigger_id):
        """An event of the watcher leaves both: the event, and the note of its run."""
        Trigger.submit_event(trigger_id, TriggerEvent(watcher._payload(RUN)))

        events, note = events_and_note(watcher.state_key)
        assert events == 1
        assert note.has(7)

    def test_runs_add_up(self, watcher, trigger_id):
        """A second event keeps the first one's note."""
        for run_id in (7, 8):
            Trigger.submit_event(trigger_id, TriggerEvent(watcher._payload(RUN | {"id": run_id})))

        _, note = events_and_note(watcher.state_key)
        assert sorted(note.ended) == ["7", "8"]

    def test_is_undone_with_the_event(self, watcher, trigger_id, monkeypatch):
        """What stops Airflow after the note was written takes the note back with the event."""
        was_there = []

        def stop(*_arguments, session, **_options):
            note = select(AssetStateStoreModel.value)
            was_there.append(session.scalar(note))
            raise RuntimeError("the triggerer dies")

        monkeypatch.setattr(AssetManager, "_queue_dagruns", stop)
        with pytest.raises(RuntimeError):
            Trigger.submit_event(trigger_id, TriggerEvent(watcher._payload(RUN)))

        assert '"7"' in was_there[0]
        assert events_and_note(watcher.state_key) == (0, None)

    def test_other_events_are_none_of_its_business(self, watcher, trigger_id):
        """An event without a run of ours leaves no note, and is not disturbed."""
        Trigger.submit_event(trigger_id, TriggerEvent({"file": "x"}))

        assert events_and_note(watcher.state_key) == (1, None)
