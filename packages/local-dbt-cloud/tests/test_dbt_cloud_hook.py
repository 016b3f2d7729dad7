"""The Airflow provider's own hook, unmodified, over TLS, sync and async."""

import json
import subprocess
import sys

import pytest
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunStatus
from airflow.sdk.exceptions import AirflowException
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    THIRD_JOB,
    declare,
    job,
)
from test_run_queue import fill_store


# The provider itself uses what Airflow 3.3 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ProvidersManager")

CONNECTION = "dbt_cloud_of_the_tests"


ASK_ASYNC = """
import asyncio, json, sys
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

async def ask(hook, run_id):
    details = await hook.get_job_details(run_id, include_related=["run_steps", "job"])
    run = details["data"]
    status = await hook.get_job_status(run_id)
    return {"status": status, "job": run["job"]["id"], "steps": len(run["run_steps"])}

print(json.dumps(asyncio.run(ask(DbtCloudHook(sys.argv[1]), int(sys.argv[2])))))
"""


def connect(server, monkeypatch, token):
    """Give Airflow the connection, and both of its HTTP libraries the certificates."""
    connection = {
        "conn_type": "dbt_cloud",
        "host": f"localhost:{server.port}",
        "login": str(ACCOUNT),
        "password": token,
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.bundle))
    return DbtCloudHook(CONNECTION)


@pytest.fixture
def hook(server, monkeypatch):
    return connect(server, monkeypatch, server.token)


def data(response):
    return response.json()["data"]


class TestSync:
    def test_connection(self, hook):
        """The button in Airflow's UI is green."""
        assert hook.test_connection() == (True, "Successfully connected to dbt Cloud.")

    def test_account_projects_environments_jobs(self, hook):
        """Everything that the hook lists or gets by id is there."""
        assert data(hook.get_account())["id"] == ACCOUNT
        assert data(hook.list_projects(name_contains="tin")[0])[0]["id"] == PROJECT
        assert data(hook.get_project(PROJECT))["name"] == "Tiny"
        assert data(hook.list_environments(PROJECT)[0])[0]["id"] == ENVIRONMENT
        assert data(hook.get_environment(PROJECT, ENVIRONMENT))["name"] == "Production"
        assert data(hook.list_jobs(project_id=PROJECT)[0])[0]["id"] == JOB
        assert data(hook.get_job(JOB))["name"] == "Build tiny"

    def test_job_by_names(self, hook):
        """A job is found by the names of project, environment and job."""
        found = hook.get_job_by_name(
            project_name="Tiny", environment_name="Production", job_name="Build tiny"
        )

        assert found["id"] == JOB

    def test_trigger_wait_and_read(self, hook):
        """A run is triggered, waited for, and leaves artifacts."""
        run_id = data(hook.trigger_job_run(JOB, cause="from Airflow"))["id"]

        assert hook.wait_for_job_run_status(run_id, check_interval=0.1, timeout=60)
        assert hook.get_job_run_status(run_id) == DbtCloudJobRunStatus.SUCCESS.value
        assert "run_results.json" in data(hook.list_job_run_artifacts(run_id))
        results = hook.get_job_run_artifact(run_id, "run_results.json", step=4).json()
        assert results["results"][0]["status"] == "success"
        run = data(hook.get_job_run(run_id, include_related=["run_steps,job"]))
        assert run["job"]["execute_steps"] == ["dbt build"]
        assert len(run["run_steps"]) == 4

    def test_trigger_with_overrides(self, hook, server):
        """The hook's own overrides and the additional ones arrive."""
        answer = hook.trigger_job_run(
            JOB,
            cause="with overrides",
            steps_override=["dbt run", "dbt test"],
            schema_override="elsewhere",
            additional_run_config={"threads_override": 8, "generate_docs_override": True},
        )
        names = [step["name"] for step in server.finish(data(answer)["id"])["run_steps"]]

        assert names[1].endswith("(override schema to 'elsewhere')")
        assert names[3:] == [
            "Invoke dbt with `dbt run`",
            "Invoke dbt with `dbt test`",
            "Invoke dbt with `dbt docs generate`",
        ]

    def test_retry_from_failure(self, hook, server):
        """On a retry the hook finds the failed run and resumes it."""
        first = server.finish(server.trigger(THIRD_JOB)["id"])
        again = hook.trigger_job_run(THIRD_JOB, cause="again", retry_from_failure=True)
        server.finish(data(again)["id"])

        assert data(again)["retrying_run_id"] == first["id"]

    def test_cancel(self, hook, server):
        """A running run is cancelled."""
        run_id = server.trigger(OTHER_JOB)["id"]
        server.held(run_id)
        hook.cancel_job_run(run_id)

        assert hook.get_job_run_status(run_id) == DbtCloudJobRunStatus.CANCELLED.value

    def test_runs_in_progress(self, hook, server):
        """The filter behind `reuse_existing_run` finds the run that is going on."""
        run_id = server.trigger(OTHER_JOB)["id"]
        server.held(run_id)
        statuses = list(DbtCloudJobRunStatus.NON_TERMINAL_STATUSES.value)
        found = hook.get_job_runs(
            payload={"job_definition_id": OTHER_JOB, "status__in": str(statuses)}
        )
        server.request("POST", f"v2/runs/{run_id}/cancel/")

        assert [run["id"] for run in data(found)] == [run_id]

    def test_wrong_token(self, server, monkeypatch):
        """A wrong token is refused."""
        hook = connect(server, monkeypatch, "wrong")

        with pytest.raises(AirflowException, match="401"):
            hook.get_job(JOB)


class TestAsync:
    def test_details_status_and_wait(self, hook, server):
        """
        What the triggerer calls answers the same, through aiohttp.

        In a process of its own: aiohttp reads SSL_CERT_FILE once, when it is imported.
        """
        run = server.finish(server.trigger()["id"])
        done = subprocess.run(
            [sys.executable, "-c", ASK_ASYNC, CONNECTION, str(run["id"])],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr

        assert answer == {"status": 10, "job": JOB, "steps": 4}


def test_pages_of_250_runs(make_server, monkeypatch):
    """The hook reads three pages and stops."""
    server = make_server(declare(job(JOB, "Build", "dbt build"))).start()
    server.finish(server.trigger()["id"])
    server.stop()
    fill_store(server, copies=249)
    server.start()
    pages = connect(server, monkeypatch, server.token).list_job_runs()
    server.stop()

    assert [len(data(page)) for page in pages] == [100, 100, 50]
