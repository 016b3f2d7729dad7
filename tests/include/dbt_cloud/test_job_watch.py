"""DAGs start when somebody else's run has ended: each run once, also over a restart."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.dbt_cloud import job_watch
from include.dbt_cloud.ended_runs import Told, untold
from include.dbt_cloud.job_watch import DbtCloudJobWatchTrigger, watch_job
from include.dbt_cloud.newest_run_sensor import DbtCloudNewestRunSensor, DbtCloudNewestRunTrigger
from include.dbt_cloud.run_failures import DbtFailedError
from tests.include.dbt_cloud.attempts import run_to_the_end
from tests.local_dbt_cloud.server_process import JOB, THIRD_JOB


class AssetStore(dict):
    """The state store of one asset, as Airflow gives it to the trigger."""

    async def aget(self, key):
        return json.loads(json.dumps(self.get(key)))

    async def aset(self, key, value):
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def watching(trusted, monkeypatch):
    """Watch a job for a while, as a triggerer that starts and stops; give the runs it told."""
    monkeypatch.setattr(job_watch, "SECONDS_UNTIL_WRITTEN", 0)
    store = AssetStore()

    async def watch(until, **options):
        given = {"job_id": JOB, "statuses": [10, 20], "external_only": True, **options}
        trigger = DbtCloudJobWatchTrigger(conn_id="dbt_cloud_default", poll_interval=0.02, **given)
        trigger.asset_state_store = store
        told = []

        async def collect():
            async for event in trigger.run():
                told.append(event.payload["dbt_cloud_run_id"])  # noqa: PERF401 # it is cut short

        task = asyncio.create_task(collect())
        await asyncio.sleep(0.3)
        await asyncio.to_thread(until)
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    return lambda until=lambda: None, **options: run_to_the_end(watch(until, **options))


class TestWatch:
    def test_each_run_once_and_none_lost_over_a_restart(self, watching, connected):
        """What ended before the watch began is history; from then on each run is told once."""
        connected.finish(connected.trigger(JOB, cause="before")["id"])
        ids = []

        def run_one():
            ids.append(connected.finish(connected.trigger(JOB, cause="a person")["id"])["id"])

        first = watching(run_one)
        run_one()  # while no triggerer is there
        second = watching(run_one)
        third = watching()

        assert (first, second, third) == (ids[:1], ids[1:], [])

    def test_runs_of_airflow_and_of_other_jobs_are_left_out(self, watching, connected):
        """Neither a run that an Airflow has started nor one of another job is told."""
        causes = ("[airflow:0123456789abcdef.1] Airflow: dag x", "Triggered via Apache Airflow by")

        def run_them():
            for cause in causes:
                connected.finish(connected.trigger(JOB, cause=cause)["id"])
            connected.finish(connected.trigger(THIRD_JOB, cause="a person")["id"])

        assert watching(run_them) == []

    def test_all_runs_with_a_status(self, watching, connected):
        """A watch may count every run, and choose how it has to have ended."""
        failed = []

        def run_one():
            run = connected.trigger(THIRD_JOB, cause="[airflow:0123456789abcdef.1] x")
            failed.append(connected.finish(run["id"])["id"])

        told = watching(run_one, job_id=THIRD_JOB, statuses=[20], external_only=False)

        assert told == failed

    def test_watcher_is_what_airflow_wants(self):
        """The watcher's trigger can be stored and made again from what was stored."""
        watcher = watch_job("flights", JOB)
        path, kwargs = watcher.trigger.serialize()

        assert path == "include.dbt_cloud.job_watch.DbtCloudJobWatchTrigger"
        assert DbtCloudJobWatchTrigger(**json.loads(json.dumps(kwargs))).job_id == JOB


def ended(run_id, minutes, cause=None):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return {"id": run_id, "finished_at": str(moment), "trigger": {"cause": cause}}


class TestUntold:
    BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

    def test_in_the_order_of_their_ends(self):
        """Runs are told in the order in which they ended, not in that of the list."""
        told = Told(str(self.BEGIN))

        found = untold([ended(3, 2), ended(2, 5)], told, self.BEGIN, external_only=True)

        assert [run["id"] for run in found] == [3, 2]

    def test_one_that_appears_late(self):
        """A run that the list shows late, behind one that was told already, is still told."""
        told = Told(str(self.BEGIN)).and_also(ended(5, 8))

        found = untold([ended(5, 8), ended(4, 3)], told, self.BEGIN, external_only=True)

        assert [run["id"] for run in found] == [4]

    def test_memory_does_not_grow(self):
        """Ids that no later look can see again are forgotten."""
        old, new = ended(1, 0), ended(2, 60)
        told = Told(str(self.BEGIN)).and_also(old).and_also(new).without_the_old([old, new])

        assert told.run_ids == (2,)
        assert Told.from_stored(json.loads(json.dumps(told.as_stored()))) == told


class TestSensor:
    def outcome(self, job_id, since, **more):
        trigger = DbtCloudNewestRunTrigger(
            conn_id="dbt_cloud_default",
            job_id=job_id,
            since=since.isoformat(),
            poll_interval=0.02,
            end_time=datetime.now(UTC).timestamp() + 2,
        )

        async def first():
            return await anext(trigger.run())

        event = run_to_the_end(first()).payload
        ti = SimpleNamespace(xcom_push=lambda key, value: None)
        sensor = DbtCloudNewestRunSensor(task_id="wait", job_id=job_id)
        return sensor.execute_complete({"ti": ti}, event)

    def test_newest_run_since(self, trusted, connected):
        """The latest run that ended since then is the result, whoever started it."""
        since = datetime.now(UTC)
        runs = [connected.finish(connected.trigger(JOB, cause="x")["id"]) for _ in range(2)]

        assert self.outcome(JOB, since) == runs[-1]["id"]

    def test_run_that_failed(self, trusted, connected):
        """When that run failed, the sensor fails and says why."""
        since = datetime.now(UTC)
        connected.finish(connected.trigger(THIRD_JOB, cause="x")["id"])

        with pytest.raises(DbtFailedError, match="1 dbt node failed"):
            self.outcome(THIRD_JOB, since)

    def test_no_run_in_time(self, trusted, connected):
        """Without a run, the sensor fails when its time is up, and names job and moment."""
        since = datetime.now(UTC) + timedelta(hours=1)

        with pytest.raises(Exception, match=f"No run of job {JOB} has ended since"):
            self.outcome(JOB, since)
