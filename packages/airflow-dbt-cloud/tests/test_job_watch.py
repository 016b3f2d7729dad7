"""DAGs start when somebody else's run has ended: each run once, also over a restart."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from attempts import run_to_the_end
from server_process import JOB, OTHER_JOB, THIRD_JOB

from airflow_dbt_cloud.calls import clock
from airflow_dbt_cloud.calls.api_errors import MissingError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.failing.run_failures import DbtFailedError, RunEndedError
from airflow_dbt_cloud.watching import ended_runs, job_watch
from airflow_dbt_cloud.watching.announced_runs import AnnouncedRun
from airflow_dbt_cloud.watching.ended_runs import AnnouncedRuns, is_from_airflow, untold
from airflow_dbt_cloud.watching.first_runs import FirstRuns
from airflow_dbt_cloud.watching.job_watch import DbtCloudJobWatchTrigger, watch_job
from airflow_dbt_cloud.watching.newest_run_sensor import (
    DbtCloudNewestRunSensor,
    DbtCloudNewestRunTrigger,
)


class AssetStore(dict):
    """The state store of one asset, as Airflow gives it to the trigger."""

    async def aget(self, key):
        return json.loads(json.dumps(self.get(key)))

    async def aset(self, key, value):
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def stores():
    """The assets that have the watcher."""
    return [AssetStore()]


@pytest.fixture
def watching(trusted, monkeypatch, stores):
    """
    Watch a job for a while, as a triggerer that starts and stops; give the runs it told.

    `writes` is whether Airflow gets to write the events before the triggerer is gone.
    """
    monkeypatch.setattr(job_watch, "SECONDS_UNTIL_WRITTEN", 0)
    look, looked = AsyncDbtCloudApi.ended_runs, []

    async def counted(*arguments):
        listed = await look(*arguments)
        looked[-1].set()
        return listed

    monkeypatch.setattr(AsyncDbtCloudApi, "ended_runs", counted)

    async def a_while():
        """Time enough for several looks, also on a machine that has no time."""
        await asyncio.sleep(0.3)
        # The first may have begun too soon, the last is not acted on any more.
        for _ in range(5):
            looked[-1].clear()
            await looked[-1].wait()

    async def watch(until, *, writes=True, **options):
        given = {"job_id": JOB, "statuses": [10, 20], "external_only": True, **options}
        trigger = DbtCloudJobWatchTrigger(conn_id="dbt_cloud_default", poll_interval=0.02, **given)
        by_name = {f"asset_{number}": store for number, store in enumerate(stores)}
        trigger.asset_state_store = SimpleNamespace(_by_name=by_name, _by_uri={})
        told = []
        looked.append(asyncio.Event())

        async def collect():
            async for event in trigger.run():
                told.append(event.payload["dbt_cloud_run_id"])
                if writes:
                    write(event)

        def write(event):
            """What `plugins/announced_runs.py` does, beside the event."""
            run = AnnouncedRun.of_payload(event.payload)
            for store in stores:
                store[run.key] = json.loads(run.noted(json.dumps(store[run.key])))

        task = asyncio.create_task(collect())
        await a_while()
        await asyncio.to_thread(until)
        await a_while()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    return lambda until=lambda: None, **options: run_to_the_end(watch(until, **options))


@pytest.fixture
def run_one(connected):
    """A person runs the job; the ids are kept."""

    def run():
        run.ids.append(connected.finish(connected.trigger(JOB, cause="a person")["id"])["id"])

    run.ids = []
    return run


class TestWatch:
    def test_each_run_once_and_none_lost_over_a_restart(self, watching, connected, run_one):
        """What ended before the watch began is history; from then on each run is told once."""
        connected.finish(connected.trigger(JOB, cause="before")["id"])

        first = watching(run_one)
        run_one()  # while no triggerer is there
        second = watching(run_one)
        third = watching()

        assert (first, second, third) == (run_one.ids[:1], run_one.ids[1:], [])

    def test_told_but_not_written(self, watching, run_one):
        """An event that Airflow did not get to write is told again, and then no more."""
        lost = watching(run_one, writes=False)

        assert (lost, watching(), watching()) == (run_one.ids, run_one.ids, [])

    def test_taken_over_while_it_is_being_written(self, watching, run_one, stores):
        """What another watcher's event has noted since this one began is not told again."""
        watching()
        key = next(iter(stores[0]))
        run_one()
        run = AnnouncedRun(key, run_one.ids[0], datetime.now(UTC).isoformat())
        earlier = dict(stores[0][key])
        reads = iter([earlier])

        async def late(store, _key):
            return next(reads, None) or json.loads(run.noted(json.dumps(earlier)))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AssetStore, "aget", late)
            assert watching() == []

    def test_nobody_notes(self, watching, run_one, monkeypatch, capsys):
        """Without the plugin the watcher notes for itself, a while later, and says so."""
        monkeypatch.setattr(job_watch, "SECONDS_WITHOUT_A_NOTE", 0.1)

        told = watching(run_one, writes=False)

        assert (told, watching()) == (run_one.ids, [])
        assert "dbt_cloud_announced_runs is not loaded" in capsys.readouterr().out

    def test_two_assets_of_one_watcher(self, watching, run_one, stores):
        """Airflow runs equal watchers of two assets as one: it fires once for both."""
        stores.append(AssetStore())

        first = watching(run_one)
        stores[1].clear()  # an asset that got the watcher later

        assert (first, watching()) == (run_one.ids, [])

    def test_two_watchers_of_one_asset(self, watching, connected, run_one):
        """Each keeps its own count: what one has told says nothing of the other."""
        watching(job_id=THIRD_JOB)
        watching(run_one)
        run = connected.trigger(THIRD_JOB, cause="a person")
        failed = connected.finish(run["id"])["id"]

        assert watching(job_id=THIRD_JOB) == [failed]

    def test_runs_of_airflow_and_of_other_jobs_are_left_out(self, watching, connected):
        """Neither a run that an Airflow has started nor one of another job is told."""
        causes = ("[airflow:0123456789abcdef.1] Airflow: dag x", "Triggered via Apache Airflow by")

        def run_them():
            for cause in causes:
                connected.finish(connected.trigger(JOB, cause=cause)["id"])
            connected.finish(connected.trigger(THIRD_JOB, cause="a person")["id"])

        assert watching(run_them) == []

    @pytest.mark.parametrize(
        ("cause", "is_told"), [("[airflow:0123456789abcdef.1] x", False), ("a person", True)]
    )
    def test_run_that_resumes_another(self, watching, connected, cause, is_told):
        """It is told exactly if the run that it resumes was started by somebody else."""
        runs = []

        def run_and_resume():
            first = connected.finish(connected.trigger(THIRD_JOB, cause=cause)["id"])
            retry = connected.send("POST", f"v2/runs/{first['id']}/retry/")
            runs.extend((first["id"], connected.finish(retry["id"])["id"]))

        assert watching(run_and_resume, job_id=THIRD_JOB) == (runs if is_told else [])

    @pytest.mark.parametrize("minutes", [15, -15])
    def test_clocks_that_differ(self, watching, connected, run_one, monkeypatch, minutes):
        """What ends from the beginning on is told, whatever time it is here."""
        ahead = timedelta(minutes=minutes)

        class Shifted(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + ahead

        for module in (ended_runs, job_watch):
            monkeypatch.setattr(module, "datetime", Shifted)
        seconds = ahead.total_seconds()
        monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() + seconds))
        if minutes < 0:
            connected.finish(connected.trigger(JOB, cause="before")["id"])
            time.sleep(4)  # an answer says its time in whole seconds, and a little late

        assert watching(run_one) == run_one.ids

    def test_what_is_left_out_is_not_read_for_ever(self, watching, monkeypatch):
        """A job that Airflow alone runs is not listed from the first day on at every look."""
        asked = []
        run = {
            "id": 1,
            "finished_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "trigger": {"cause": "[airflow:0123456789abcdef.1] x"},
        }

        async def called(*_):
            return [run]

        look = AsyncDbtCloudApi.ended_runs

        async def noted(api, job_id, statuses, since):
            asked.append(since)
            return await look(api, job_id, statuses, since)

        monkeypatch.setattr(AsyncDbtCloudApi, "ended_runs", noted)

        monkeypatch.setattr(AsyncDbtCloudApi, "_call", called)
        assert watching() == []
        assert asked[-1] == datetime.fromisoformat(run["finished_at"]) - timedelta(minutes=10)

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

        assert path == "airflow_dbt_cloud.watching.job_watch.DbtCloudJobWatchTrigger"
        assert DbtCloudJobWatchTrigger(**json.loads(json.dumps(kwargs))).job_id == JOB


def ended(run_id, minutes, cause=None):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return {"id": run_id, "finished_at": str(moment), "trigger": {"cause": cause}}


class TestListing:
    def pages(self, monkeypatch, *pages):
        left = list(pages)

        async def call(*_):
            return left.pop(0)

        monkeypatch.setattr(AsyncDbtCloudApi, "_call", call)
        api = AsyncDbtCloudApi("dbt_cloud_default", None)
        since = datetime(2026, 1, 1, tzinfo=UTC)
        return [run["id"] for run in asyncio.run(api.ended_runs(JOB, [10], since))]

    def test_run_on_two_pages(self, monkeypatch):
        """A run that another one's end has moved to the next page is listed once."""
        first = [ended(each, each) for each in range(200, 100, -1)]

        assert len(self.pages(monkeypatch, first, [ended(101, 101), ended(100, 100)])) == 101

    def test_run_without_an_end(self, monkeypatch):
        """A run that was cancelled before it began, and has no end, stops no watcher."""
        nothing = {**ended(3, 0), "finished_at": None}

        assert self.pages(monkeypatch, [nothing, ended(2, 2)]) == [2]


class TestUntold:
    BEGIN = str(datetime(2026, 1, 1, tzinfo=UTC))

    def told(self, *runs):
        told = AnnouncedRuns(self.BEGIN, self.BEGIN)
        for run in runs:
            told = told.and_also(run["id"], run["finished_at"])
        return told

    def test_in_the_order_of_their_ends(self):
        """Runs are told in the order in which they ended, not in that of the list."""
        found = untold([ended(3, 2), ended(2, 5)], self.told())

        assert [run["id"] for run in found] == [3, 2]

    @pytest.mark.parametrize(
        "cause",
        [
            "[airflow:f1f12a41a003097b.1] Airflow: dag a, task b",
            '{"airflow_key":"f1f12a41a003097b.1","parent":{}}',
            "Triggered via Apache Airflow by task 'b' in the a DAG.",
            '{"parent":{"run":{"runId":"0"},"job":{"namespace":"default","name":"a.b"}}}',
        ],
    )
    def test_started_by_an_airflow(self, cause):
        """Runs of our operator and of the provider's, with and without OpenLineage, are no news."""
        run = {**ended(3, 2), "trigger": {"cause": cause}}

        assert is_from_airflow(run)

    def test_one_that_appears_late(self):
        """A run that the list shows late, behind one that was told already, is still told."""
        found = untold([ended(5, 8), ended(4, 3)], self.told(ended(5, 8)))

        assert [run["id"] for run in found] == [4]

    def test_memory_does_not_grow(self):
        """Ids that no later look can see again are forgotten."""
        told = self.told(ended(1, 0), ended(2, 60))

        assert list(told.ended) == ["2"]
        assert AnnouncedRuns.from_stored(json.loads(json.dumps(told.as_stored()))) == told

    def test_joined(self):
        """Two notes taken together have what either has, and look as far as the later one."""
        one, other = self.told(ended(1, 55)), self.told(ended(2, 60))

        assert one.joined(other) == other.joined(one) == self.told(ended(1, 55), ended(2, 60))


class ResumedRuns:
    """dbt Cloud with a run 1 of an Airflow's, of which 2 is a retry, and of that 3."""

    def __init__(self):
        self.asked = []

    async def run(self, run_id, *_):
        self.asked.append(run_id)
        if run_id == 4:
            raise MissingError("run 4: dbt Cloud answered 404")
        cause = "[airflow:0123456789abcdef.1] x" if run_id == 1 else "dbt Cloud's own"
        return {"id": run_id, "retrying_run_id": run_id - 1 or None, "trigger": {"cause": cause}}


class TestFirstRuns:
    def ask(self, *resumed):
        """Whether Airflow has started each of the runs that resume these; and what that costs."""
        api = ResumedRuns()
        first_runs = FirstRuns(api)

        async def answers():
            own = {"trigger": {"cause": "dbt Cloud's own"}}
            runs = [{**own, "id": each + 1, "retrying_run_id": each} for each in resumed]
            return [await first_runs.is_from_airflow(run) for run in runs]

        return asyncio.run(answers()), api.asked

    def test_whoever_started_the_first(self):
        """A run that was resumed again and again is its first run's; each is read once."""
        assert self.ask(3, 3, 2) == ([True, True, True], [3, 2, 1])

    def test_first_run_that_is_gone(self):
        """Of a run that resumes a deleted one only its own cause is known."""
        assert self.ask(4) == ([False], [4])


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
        sensor = DbtCloudNewestRunSensor(task_id="wait", job_id=job_id, **more)
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

    def test_run_that_was_cancelled(self, trusted, connected):
        """A run that was cancelled is no success."""
        since = datetime.now(UTC)
        run = connected.trigger(OTHER_JOB, cause="x")
        connected.held(run["id"])
        connected.send("POST", f"v2/runs/{run['id']}/cancel/")
        connected.finish(run["id"])

        with pytest.raises(RunEndedError, match="was cancelled"):
            self.outcome(OTHER_JOB, since)

    def test_soft_fail(self, trusted, connected):
        """With `soft_fail`, a run that failed and time that is up skip the task."""
        since = datetime.now(UTC)
        connected.finish(connected.trigger(THIRD_JOB, cause="x")["id"])

        for job_id, moment in ((THIRD_JOB, since), (JOB, since + timedelta(hours=1))):
            with pytest.raises(AirflowSkipException):
                self.outcome(job_id, moment, soft_fail=True)

    def test_no_run_in_time(self, trusted, connected):
        """Without a run, the sensor fails when its time is up, and names job and moment."""
        since = datetime.now(UTC) + timedelta(hours=1)

        with pytest.raises(Exception, match=f"No run of job {JOB} has ended since"):
            self.outcome(JOB, since)
