"""The DAGs of the gallery against a dbt Cloud that does as it is told: green, and red."""

import asyncio
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import ParamValidationError


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")

BUILD_FLIGHTS, BUILD_ONE_MONTH = "Build flights", "Build one month"
CHECK_FRESHNESS = "Check source freshness"
# Other programs, options of dbt, and nothing at all.
NO_SELECTION = ["x; rm -rf /", "--target-path /tmp", "x --full-refresh", "x  -t ci", "-", "'x'", ""]


def steps_of(run):
    """What was asked of dbt in the place of the job's own steps."""
    return run.details["trigger"]["steps_override"]


def job_names(dbt_cloud):
    names = {number: name for name, number in dbt_cloud.jobs.items()}
    return [names[run.job_id] for run in dbt_cloud.runs]


class TestJobChain:
    def test_green(self, run_dag, dbt_cloud):
        """The second job starts after the first, each found by its name."""
        ended = run_dag("dbt_job_chain")

        assert ended.state == "success"
        assert job_names(dbt_cloud) == [CHECK_FRESHNESS, BUILD_FLIGHTS]

    def test_red_when_the_first_job_fails(self, run_dag, dbt_cloud):
        """After a failure of the first job, the second is not started."""
        dbt_cloud.end_next_run_as("error")

        ended = run_dag("dbt_job_chain")

        assert ended.state == "failed"
        assert ended.tasks["build_flights"] == "upstream_failed"
        assert job_names(dbt_cloud) == [CHECK_FRESHNESS]

    def test_skipped_while_somebody_runs_it(self, run_dag, dbt_cloud, start_by_hand):
        """While a run that a person has started is active, nothing is started."""
        dbt_cloud.hold()
        start_by_hand(BUILD_FLIGHTS, wait=False)

        ended = run_dag("dbt_job_chain")

        assert ended.tasks["check_freshness"] == "skipped"
        assert len(dbt_cloud.runs) == 1


class TestProviderSensor:
    def test_green(self, run_dag, dbt_cloud):
        """Two runs are waited for, in a worker and by the sensor; artifact and lists are read."""
        ended = run_dag("dbt_provider_sensor")

        assert ended.state == "success"
        assert [run.status for run in dbt_cloud.runs] == ["success", "success"]
        assert ended.result("summarize")["counts"]["success"] > 0
        assert sorted(ended.result("list_jobs")) == sorted(dbt_cloud.jobs.values())

    def test_red_when_the_sensor_sees_a_failure(self, run_dag, dbt_cloud):
        """A run that fails turns the sensor red at once, and no run is started a second time."""
        dbt_cloud.end_next_run_as("success")
        dbt_cloud.end_next_run_as("error")

        ended = run_dag("dbt_provider_sensor")

        assert (ended.state, ended.tasks["wait"]) == ("failed", "failed")
        assert len(dbt_cloud.runs) == 2


class TestBackfill:
    def test_green(self, run_dag, dbt_cloud):
        """Each month of the range has a run with its own --vars; the combining run comes last."""
        ended = run_dag("dbt_cloud_backfill", first="2012-12", last="2013-02", models="some_model")

        assert ended.state == "success"
        *months, combine = [steps_of(run)[0] for run in dbt_cloud.runs]
        assert sorted(months) == [
            f"dbt build --select some_model --vars '{{month: {month}}}'"
            for month in ("2012-12", "2013-01", "2013-02")
        ]
        assert combine == "dbt build --select path:models/marts --exclude some_model"

    def test_red_when_a_month_fails(self, run_dag, dbt_cloud):
        """One failed month is red, the others are built, and nothing is combined."""
        dbt_cloud.end_next_run_as("error")

        ended = run_dag("dbt_cloud_backfill", first="2013-01", last="2013-02")

        months = [ended.tasks["build_month[0]"], ended.tasks["build_month[1]"]]
        assert sorted(months) == ["failed", "success"]
        assert ended.tasks["combine"] == "upstream_failed"

    def test_red_when_the_range_is_empty(self, run_dag, dbt_cloud):
        """A range that ends before it begins is refused before any run is started."""
        ended = run_dag("dbt_cloud_backfill", first="2013-02", last="2013-01")

        assert ended.tasks["commands"] == "failed"
        assert dbt_cloud.runs == []

    @pytest.mark.parametrize("models", NO_SELECTION)
    def test_the_form_refuses(self, run_dag, dbt_cloud, models):
        """What is no selection starts nothing."""
        with pytest.raises(ParamValidationError):
            run_dag("dbt_cloud_backfill", models=models)

        assert dbt_cloud.runs == []

    def test_months_are_handed_over_two_at_a_time(self, load_dag):
        """However long the range is, at most two of its months wait in dbt Cloud."""
        task = load_dag("dbt_cloud_backfill").get_task("build_month")

        assert task.partial_kwargs["max_active_tis_per_dagrun"] == 2


class TestRefresh:
    def test_green(self, run_dag, dbt_cloud):
        """What the form says reaches dbt Cloud: models, full refresh, threads, target."""
        ended = run_dag(
            "dbt_cloud_refresh",
            models="stg_flights+ tag:daily",
            full_refresh=True,
            threads=2,
            target="ci",
        )

        assert ended.state == "success"
        (run,) = dbt_cloud.runs
        assert steps_of(run) == ["dbt build --select stg_flights+ tag:daily --full-refresh"]
        assert run.details["trigger"]["threads_override"] == 2
        assert run.details["trigger"]["target_name_override"] == "ci"

    def test_red_when_a_model_fails(self, run_dag, dbt_cloud):
        """A failed model is named in the XCom that says why."""
        dbt_cloud.end_next_run_as("error", failed=["stg_flights"])

        ended = run_dag("dbt_cloud_refresh")

        assert ended.state == "failed"
        (node,) = ended.xcoms["refresh", "dbt_cloud_failure"]["failed"]
        assert node["name"] == "stg_flights"

    @pytest.mark.parametrize(
        "wrong", [{"models": each} for each in NO_SELECTION] + [{"threads": 0}]
    )
    def test_the_form_refuses(self, run_dag, dbt_cloud, wrong):
        """What is no selection, or no number of threads, starts nothing."""
        with pytest.raises(ParamValidationError):
            run_dag("dbt_cloud_refresh", **wrong)

        assert dbt_cloud.runs == []


class TestRerunFailed:
    @pytest.fixture
    def failed_run(self, dbt_cloud, start_by_hand):
        """A run that a person started and that failed: stg_flights, and what is behind it."""
        dbt_cloud.end_next_run_as("error", failed=["stg_flights"])
        return start_by_hand(BUILD_FLIGHTS)

    def test_resume(self, run_dag, dbt_cloud, failed_run):
        """The first way is dbt Cloud's own: the new run goes on where the old one failed."""
        ended = run_dag("dbt_rerun_failed")

        assert (ended.state, ended.tasks["wait"]) == ("success", "success")
        assert ended.tasks["build_selected"] == "skipped"
        assert [run.status for run in dbt_cloud.runs] == ["error", "success"]
        steps = [step["name"] for step in dbt_cloud.runs[1].details["run_steps"]]
        assert any("dbt retry" in step for step in steps)

    def test_select(self, run_dag, dbt_cloud, failed_run):
        """The second way is a new run that selects what failed and what is behind it."""
        ended = run_dag("dbt_rerun_failed", way="select")

        assert (ended.state, ended.tasks["build_selected"]) == ("success", "success")
        assert ended.tasks["wait"] == "skipped"
        assert steps_of(dbt_cloud.runs[1]) == ["dbt build --select stg_flights+"]

    @pytest.mark.parametrize("way", ["resume", "select"])
    def test_red_when_it_fails_again(self, run_dag, dbt_cloud, failed_run, way):
        """When the second run fails too, the dag_run is red."""
        dbt_cloud.end_next_run_as("error", failed=["stg_flights"])

        assert run_dag("dbt_rerun_failed", way=way).state == "failed"

    def test_skipped_when_nothing_failed(self, run_dag, dbt_cloud, start_by_hand):
        """When the newest run is green, nothing is run again."""
        start_by_hand(BUILD_FLIGHTS)

        ended = run_dag("dbt_rerun_failed")

        assert set(ended.tasks.values()) == {"skipped"}
        assert len(dbt_cloud.runs) == 1


class TestScript:
    def test_green(self, run_dag, dbt_cloud):
        """The script starts one run, waits, and counts its nodes."""
        ended = run_dag("dbt_cloud_script")

        assert ended.state == "success"
        assert ended.result("report")["counts"]["success"] > 0
        assert "Apache Airflow: dbt_cloud_script.start, dag_run manual" in dbt_cloud.runs[0].cause

    def test_red_when_the_run_fails(self, run_dag, dbt_cloud):
        """A failed run turns the waiting task red, and no second run is started."""
        dbt_cloud.end_next_run_as("error")

        ended = run_dag("dbt_cloud_script")

        assert (ended.tasks["start"], ended.tasks["wait"]) == ("success", "failed")
        assert len(dbt_cloud.runs) == 1

    def test_red_when_the_answer_is_lost(self, run_dag, dbt_cloud):
        """When nobody knows whether a run was started, the task asks a person, not for another."""
        dbt_cloud.fail_next("lost_answer", method="POST", path="*/run/")

        ended = run_dag("dbt_cloud_script")

        assert ended.tasks["start"] == "failed"
        assert len(dbt_cloud.runs) == 1

    def test_a_run_that_takes_too_long_is_cancelled(self, dbt_cloud, start_by_hand):
        """When its time is up, the run is cancelled in dbt Cloud and the wait fails."""
        from examples.include.gallery.by_hook import RunNotSuccessfulError, wait_for_run

        dbt_cloud.hold()
        run_id = start_by_hand(BUILD_ONE_MONTH, wait=False)

        with pytest.raises(RunNotSuccessfulError, match="longer than 0 s"):
            wait_for_run(run_id, seconds=0.1)

        assert dbt_cloud.runs[0].status == "cancelled"


class TestSourceFreshness:
    def test_green_with_a_warning(self, run_dag, dbt_cloud):
        """A source that dbt only warns about is reported, and the dag_run stays green."""
        dbt_cloud.end_next_run_as("success", artifacts={"sources.json": sources("pass", "warn")})

        ended = run_dag("source_freshness")

        assert ended.state == "success"
        assert ended.result("report_freshness") == {"raw.source_0": "pass", "raw.source_1": "warn"}

    def test_red_when_a_source_is_too_old(self, run_dag, dbt_cloud, caplog):
        """A source past its limit turns the dag_run red, and its name and owner are in the log."""
        artifacts = {"sources.json": sources("pass", "error"), "manifest.json": OWNED}
        dbt_cloud.end_next_run_as("error", artifacts=artifacts)

        ended = run_dag("source_freshness")

        assert ended.tasks == {"check": "failed", "report_freshness": "failed"}

    def test_red_when_nothing_could_be_started(self, run_dag, dbt_cloud, capsys):
        """Where there is no run, the report says so in its own words, once."""
        dbt_cloud.revoke_token()

        ended = run_dag("source_freshness")

        assert ended.tasks == {"check": "failed", "report_freshness": "failed"}
        assert "No dbt Cloud run was started." in capsys.readouterr().out

    def test_in_an_account_that_lacks_the_job(self, run_dag, dbt_cloud):
        """The first dag_run creates the job from dbt_cloud_jobs.yml, the next one uses it."""
        from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
        from airflow_dbt_cloud.calls.job_names import JobsApi

        api = JobsApi(PatientDbtCloudHook(), None)
        api.delete(dbt_cloud.jobs[CHECK_FRESHNESS])
        states = [run_dag("source_freshness").tasks["check"] for _ in range(2)]

        jobs = {run.job_id for run in dbt_cloud.runs}
        assert states == ["success", "success"]
        assert len(jobs) == 1
        assert jobs.isdisjoint(dbt_cloud.jobs.values())


OWNED = {
    "sources": {"source.flights.raw.source_1": {"config": {"meta": {"owner": "Data platform"}}}}
}


def sources(*statuses):
    """A `sources.json` with a source for each status."""
    return {
        "results": [
            {
                "unique_id": f"source.flights.raw.source_{number}",
                "status": status,
                "max_loaded_at_time_ago_in_s": 3600.0,
            }
            for number, status in enumerate(statuses)
        ]
    }


class TestOnExternalRun:
    def test_green(self, run_dag, dbt_cloud, start_by_hand):
        """A run that a person has started is reported with its nodes."""
        run_id = start_by_hand(BUILD_FLIGHTS)

        ended = run_dag("on_external_run", run=run_id)

        assert ended.state == "success"
        assert ended.tasks["report_run[0]"] == "success"
        assert len(dbt_cloud.runs) == 1

    def test_red_when_that_run_failed(self, run_dag, dbt_cloud, start_by_hand):
        """The failure of somebody else's run turns the dag_run red."""
        dbt_cloud.end_next_run_as("error", failed=["stg_flights"])
        run_id = start_by_hand(BUILD_FLIGHTS)

        ended = run_dag("on_external_run", run=run_id)

        assert ended.tasks["report_run[0]"] == "failed"

    def test_by_hand_without_a_run(self, run_dag, dbt_cloud):
        """Started by hand and without a run, it has nothing to do, and that is no failure."""
        assert run_dag("on_external_run").tasks["runs_to_report"] == "skipped"

    def test_runs_that_ended_together(self):
        """Each run of the events is reported once, the oldest first."""
        from airflow_dbt_cloud.watching.own_job_watch import runs_to_report

        events = [SimpleNamespace(extra={"payload": {"dbt_cloud_run_id": n}}) for n in (8, 7, 8)]

        assert runs_to_report({"asset": events}, {"run": None}) == [7, 8]

    def test_the_job_is_that_of_the_connection(self, dbt_cloud, start_by_hand, monkeypatch):
        """The watch tells the end of a person's run of the job that the connection names."""
        from airflow_dbt_cloud.watching import job_watch, own_job_watch

        monkeypatch.setattr(job_watch, "SECONDS_UNTIL_WRITTEN", 0)
        trigger = own_job_watch.watch_own_job("x", poll_interval=0.05).trigger
        kind, options = trigger.serialize()
        assert kind == "airflow_dbt_cloud.watching.own_job_watch.OwnJobWatchTrigger"

        async def first_told():
            watch = own_job_watch.OwnJobWatchTrigger(**options)
            watch.asset_state_store = SimpleNamespace(_by_name={"x": AssetStore()}, _by_uri={})
            told = asyncio.ensure_future(anext(watch.run()))
            await asyncio.sleep(0.3)
            run_ids = [
                await asyncio.to_thread(start_by_hand, name)
                for name in (BUILD_ONE_MONTH, BUILD_FLIGHTS)
            ]
            return run_ids, (await asyncio.wait_for(told, 120)).payload

        (_, run_id), payload = asyncio.run(first_told())

        assert payload["dbt_cloud_run_id"] == run_id


class AssetStore(dict):
    """The state store of one asset, as Airflow gives it to the trigger."""

    async def aget(self, key):
        return self.get(key)

    async def aset(self, key, value):
        self[key] = value
