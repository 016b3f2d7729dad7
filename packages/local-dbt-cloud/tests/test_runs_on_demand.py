"""Runs that are held, sped up, or ended as told; and what a run without dbt leaves."""

import json
import time

import pytest
import requests
from server_process import JOB, OTHER_JOB, job


class Api:
    """What a client of dbt Cloud does, with `requests`."""

    def __init__(self, dbt_cloud):
        connection = dbt_cloud.connection
        self.dbt_cloud, self.job_id = dbt_cloud, connection.job_id
        self.account = f"https://{connection.host}/api/v2/accounts/{connection.account_id}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {connection.token}"

    def trigger(self, **body):
        path = f"{self.account}/jobs/{self.job_id}/run/"
        answer = self.session.post(path, json={"cause": "a test", **body}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["id"]

    def run(self, run_id):
        return next(run for run in self.dbt_cloud.runs if run.id == run_id)

    def wait(self, run_id, *statuses):
        """The run, once it is in one of these states, or else has ended."""
        wanted = statuses or ("success", "error", "cancelled")
        deadline = time.monotonic() + 120
        while (run := self.run(run_id)).status not in wanted:
            assert time.monotonic() < deadline, run
            time.sleep(0.02)
        return run

    def finish(self, **body):
        return self.wait(self.trigger(**body))

    def cancel(self, run_id):
        return self.session.post(f"{self.account}/runs/{run_id}/cancel/", timeout=60)

    def artifact(self, run, name):
        answer = self.session.get(f"{self.account}/runs/{run.id}/artifacts/{name}", timeout=60)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def api(dbt_cloud):
    """A client of a server whose runs are simulated."""
    api = Api(dbt_cloud)
    yield api
    api.session.close()


class TestHold:
    def test_queued(self, dbt_cloud, api):
        """No run leaves the queue until it is let go."""
        dbt_cloud.hold("queued")
        run_id = api.trigger()
        time.sleep(0.2)
        before = api.run(run_id)
        dbt_cloud.release()

        assert before.status == "queued"
        assert before.details["dequeued_at"] is None
        assert api.wait(run_id).status == "success"

    def test_running(self, dbt_cloud, api):
        """A run stays running, before its first step, until it is let go."""
        dbt_cloud.hold()
        run_id = api.trigger()
        before = api.wait(run_id, "running")
        time.sleep(0.2)
        still = api.run(run_id)
        dbt_cloud.release()

        assert (before.status, still.status, still.details["run_steps"]) == (
            "running",
            "running",
            [],
        )
        assert api.wait(run_id).status == "success"

    @pytest.mark.parametrize("at", ["queued", "running"])
    def test_a_held_run_is_cancelled(self, dbt_cloud, api, at):
        """It ends at once, and the hold goes on."""
        dbt_cloud.hold(at)
        run_id = api.trigger()
        api.wait(run_id, at)
        api.cancel(run_id)
        following = api.trigger()

        assert api.wait(run_id).status == "cancelled"
        assert api.wait(following, at).status == at

    def test_a_held_run_times_out(self, dbt_cloud, api):
        """Its limit counts while it is held."""
        dbt_cloud.hold()
        run = api.finish(timeout_seconds_override=1)

        assert run.status == "cancelled"
        assert run.message == (
            "This run timed out after running for 1 second, "
            "which exceeded the configured timeout of 1 seconds."
        )

    def test_hold_ends_with_the_test(self, dbt_cloud, api):
        """A reset stops what is held."""
        dbt_cloud.hold()
        api.wait(api.trigger(), "running")
        dbt_cloud.reset()

        assert dbt_cloud.runs == []
        assert api.finish().status == "success"


class TestEnds:
    def test_error(self, dbt_cloud, api):
        """Like a run in which a model failed: step, message, results, and it can be resumed."""
        dbt_cloud.end_next_run_as("error", failed=["stg_flights"], message="out of disk")
        run = api.finish()
        results = api.artifact(run, "run_results.json")["results"]
        statuses = {each["unique_id"].split(".")[-1]: each["status"] for each in results}

        assert run.status == "error"
        assert run.message == (
            "Invoke dbt with `dbt build` failed: model.flights.stg_flights: out of disk"
        )
        assert run.details["can_retry"] is True
        assert "ERROR model.flights.stg_flights" in run.details["run_steps"][-1]["logs"]
        assert statuses["stg_flights"] == "error"
        assert statuses["daily_delays_by_carrier"] == "skipped"
        assert statuses["stg_airports"] == "success"

    def test_the_next_run_is_a_normal_one(self, dbt_cloud, api):
        """One run ends as told, the rerun that follows succeeds."""
        dbt_cloud.end_next_run_as("error")
        failed = api.finish()
        path = f"{api.account}/jobs/{api.job_id}/rerun/"
        rerun = api.session.post(path, timeout=60).json()["data"]

        assert failed.status == "error"
        assert rerun["retrying_run_id"] == failed.id
        assert api.wait(rerun["id"]).status == "success"

    def test_cancelled(self, dbt_cloud, api):
        """As if a person had cancelled it."""
        dbt_cloud.end_next_run_as("cancelled")
        run = api.finish()

        assert (run.status, run.message) == ("cancelled", "Cancelled by user.")

    def test_timeout(self, dbt_cloud, api):
        """As if it had run into its limit, which is the trigger's own when there is one."""
        dbt_cloud.end_next_run_as("timeout")
        run = api.finish(timeout_seconds_override=5400)

        assert run.status == "cancelled"
        assert run.message == (
            "This run timed out after running for 1 hour, 30 minutes, "
            "which exceeded the configured timeout of 5400 seconds."
        )

    def test_several(self, dbt_cloud, api):
        """So many runs, and in the order in which the ends were asked for."""
        dbt_cloud.end_next_run_as("error", times=2)
        dbt_cloud.end_next_run_as("cancelled")
        ended = [api.finish().status for _ in range(4)]

        assert ended == ["error", "error", "cancelled", "success"]

    def test_of_one_job(self, dbt_cloud, api):
        """The runs of other jobs go their own way."""
        other = dbt_cloud.jobs["Build one month"]
        dbt_cloud.end_next_run_as("error", job_id=other)
        first = api.finish()
        api.job_id = other

        assert (first.status, api.finish().status) == ("success", "error")

    @pytest.mark.parametrize("end", ["success", "error", "cancelled", "timeout"])
    def test_now(self, dbt_cloud, api, end):
        """A run that is held ends as told; one that has ended stays as it is."""
        dbt_cloud.hold()
        run_id = api.trigger()
        api.wait(run_id, "running")
        dbt_cloud.end_run(run_id, end)
        ended = api.wait(run_id)
        dbt_cloud.end_run(run_id, "success")

        assert ended.status == ("cancelled" if end == "timeout" else end)
        assert api.run(run_id).status == ended.status

    def test_own_artifacts(self, dbt_cloud, api):
        """What the test hands over is what the client gets."""
        made = {"run_results.json": {"metadata": {}, "results": []}, "special.json": [1, 2]}
        dbt_cloud.end_next_run_as("success", artifacts=made)
        run = api.finish()

        assert {name: api.artifact(run, name) for name in made} == made


class TestSimulatedRun:
    def test_steps_and_artifacts(self, dbt_cloud, api):
        """The steps of a real run, and artifacts with the project's own models."""
        run = api.finish(generate_docs_override=True)
        manifest, catalog = api.artifact(run, "manifest.json"), api.artifact(run, "catalog.json")
        results = api.artifact(run, "run_results.json?step=5")
        model = "model.flights.daily_delays_by_carrier"

        assert [step["name"] for step in run.details["run_steps"]] == [
            "Clone git repository",
            "Create profile from connection Warehouse",
            "Invoke dbt with `dbt deps`",
            "Invoke dbt with `dbt source freshness`",
            "Invoke dbt with `dbt build`",
            "Invoke dbt with `dbt docs generate`",
        ]
        assert manifest["metadata"]["dbt_schema_version"].endswith("manifest/v12.json")
        assert "model.flights.stg_flights" in manifest["parent_map"][model]
        assert model in manifest["child_map"]["model.flights.stg_flights"]
        assert set(catalog["nodes"]) == set(manifest["nodes"])
        assert {each["unique_id"] for each in results["results"]} == set(manifest["nodes"])
        assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run.id)

    def test_command_without_results(self, dbt_cloud, api):
        """A command that only reads the project leaves what it read, and no results."""
        run = api.finish(steps_override=["dbt parse"], generate_docs_override=False)

        assert api.artifact(run, "manifest.json")["nodes"]
        assert api.artifact(run, "")["data"] == ["manifest.json"]

    def test_takes_the_time_it_is_told(self, dbt_cloud, api):
        """Its command runs for so long, and is cancelled within it."""
        dbt_cloud.take_seconds(0.5)
        began = time.monotonic()
        assert api.finish(generate_docs_override=False).status == "success"
        took = time.monotonic() - began
        dbt_cloud.take_seconds(60)
        run_id = api.trigger()
        api.wait(run_id, "running")
        api.cancel(run_id)

        assert took >= 0.5
        assert api.wait(run_id).status == "cancelled"

    def test_real_runs_need_a_warehouse(self, dbt_cloud, api):
        """A server that was started without one says so."""
        url = api.account.partition("/api/")[0]
        answer = api.session.post(f"{url}/_local/pace/", json={"mode": "real"}, timeout=60)

        assert answer.status_code == 400
        assert "without dbt" in answer.json()["data"]["mode"]


class TestRealServer:
    def test_simulates_on_request(self, fresh_server):
        """On a server with dbt, single runs and all runs can go without it, and with it again."""
        server = fresh_server(job(JOB, "Build", "dbt build"), job(OTHER_JOB, "Other", "dbt run"))
        with_dbt = server.finish(server.trigger()["id"])
        server.client.post("/_local/runs/next/", json={"end": "error"}).raise_for_status()
        told = server.finish(server.trigger()["id"])
        server.client.post("/_local/pace/", json={"mode": "simulated"}).raise_for_status()
        simulated = server.finish(server.trigger()["id"])
        server.client.post("/_local/pace/", json={"mode": None}).raise_for_status()
        again = server.finish(server.trigger()["id"])
        logs = [run["run_steps"][-1]["logs"] for run in (with_dbt, told, simulated, again)]

        assert [run["status"] for run in (with_dbt, told, simulated, again)] == [10, 20, 10, 10]
        assert ["dbt=stand-in" in log for log in logs] == [True, False, False, True]

    def test_reset(self, fresh_server):
        """Runs, files, faults and the hold are gone; the jobs are as declared; ids go on."""
        server = fresh_server(job(JOB, "Build", "dbt build"))
        before = server.finish(server.trigger()["id"])
        server.client.post("/_local/pace/", json={"hold": "queued"}).raise_for_status()
        server.trigger()
        server.client.post("/_local/faults/", json={"status": 503}).raise_for_status()
        server.client.post("/_local/token/revoke/").raise_for_status()
        server.client.post("/_local/reset/").raise_for_status()

        assert server.get("v2/runs/") == []
        assert [each["id"] for each in server.get("v2/jobs/")] == [JOB]
        assert not list((server.folder / "state/runs").glob("*"))
        after = server.finish(server.trigger()["id"])
        assert after["status"] == 10
        assert after["id"] > before["id"]
        assert json.loads(server.client.get("/_local/pace/").text)["hold"] is None
