"""The note that a run was told is there exactly if Airflow has the event."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetActive, AssetEvent, AssetModel, AssetWatcherModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from airflow_dbt_cloud.plugins.announced_runs import write_once
from airflow_dbt_cloud.watching.ended_runs import AnnouncedRuns
from airflow_dbt_cloud.watching.job_watch import DbtCloudJobWatchTrigger


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")


def ended_run(run_id=7):
    """A run that has ended just now: the note forgets what ended some minutes before."""
    return {
        "id": run_id,
        "status_humanized": "Success",
        "href": f"https://cloud/runs/{run_id}/",
        "finished_at": str(datetime.now(UTC)),
    }


@pytest.fixture
def watcher():
    """A trigger as `watch_job` makes it."""
    return DbtCloudJobWatchTrigger(
        conn_id="dbt_cloud_default", job_id=1, statuses=[10], external_only=True, poll_interval=1
    )


@dataclass(frozen=True)
class WatchedAsset:
    """An asset with the watcher, as Airflow keeps it."""

    asset_id: int
    trigger_id: int

    def fire(self, payload):
        Trigger.submit_event(self.trigger_id, TriggerEvent(payload))

    def note(self, session):
        of_this_asset = AssetStateStoreModel.asset_id == self.asset_id
        stored = session.scalar(select(AssetStateStoreModel.value).where(of_this_asset))
        return AnnouncedRuns.from_stored(json.loads(stored)) if stored else None

    def events_and_note(self):
        with create_session() as session:
            of_this_asset = AssetEvent.asset_id == self.asset_id
            events = session.scalars(select(AssetEvent.id).where(of_this_asset)).all()
            return len(events), self.note(session)


@pytest.fixture
def asset(airflow_database, watcher):
    """The asset, and nothing left of it afterwards."""
    path, kwargs = watcher.serialize()
    with create_session() as session:
        asset = AssetModel(name="job_ended", uri="job_ended")
        trigger = Trigger(path, kwargs)
        session.add_all([asset, trigger])
        session.flush()
        session.add(AssetActive(name=asset.name, uri=asset.uri))
        session.add(AssetWatcherModel(name="w", asset_id=asset.id, trigger_id=trigger.id))
        watched = WatchedAsset(asset.id, trigger.id)
    yield watched
    with create_session() as session:
        for model in (AssetWatcherModel, AssetEvent, AssetStateStoreModel):
            session.execute(delete(model).where(model.asset_id == watched.asset_id))
        session.execute(delete(AssetActive).where(AssetActive.name == "job_ended"))
        session.execute(delete(AssetModel).where(AssetModel.id == watched.asset_id))
        session.execute(delete(Trigger).where(Trigger.id == watched.trigger_id))


class TestNote:
    def test_is_written_with_the_event(self, watcher, asset):
        """An event of the watcher leaves both: the event, and the note of its run."""
        asset.fire(watcher._payload(ended_run()))

        events, note = asset.events_and_note()
        assert events == 1
        assert "7" in note.ended

    def test_runs_add_up(self, watcher, asset):
        """A second event keeps the first one's note."""
        for run_id in (7, 8):
            asset.fire(watcher._payload(ended_run(run_id)))

        _, note = asset.events_and_note()
        assert sorted(note.ended) == ["7", "8"]

    def test_is_undone_with_the_event(self, watcher, asset, monkeypatch):
        """What stops Airflow after the note was written takes the note back with the event."""
        was_there = []

        def stop(*_arguments, session, **_options):
            was_there.append("7" in asset.note(session).ended)
            raise RuntimeError("the triggerer dies")

        monkeypatch.setattr(AssetManager, "_queue_dagruns", stop)
        with pytest.raises(RuntimeError):
            asset.fire(watcher._payload(ended_run()))

        assert was_there == [True]
        assert asset.events_and_note() == (0, None)

    def test_triggerer_that_stood_still(self, watcher, asset):
        """An event that comes again, also long after others, is written no second time."""
        stalled, long_after = ended_run(7), ended_run(9)
        long_after["finished_at"] = str(datetime.now(UTC) + timedelta(hours=1))
        for run in (stalled, stalled, long_after, stalled):
            asset.fire(watcher._payload(run))

        events, note = asset.events_and_note()
        assert (events, list(note.ended)) == (2, ["9"])

    def test_is_where_airflow_writes_events(self):
        """Airflow's triggerer, which calls this by its name, meets the plugin."""
        assert Trigger.submit_event is write_once

    def test_other_events_are_none_of_its_business(self, asset):
        """An event without a run of ours leaves no note, and is not disturbed."""
        asset.fire({"file": "x"})

        assert asset.events_and_note() == (1, None)
