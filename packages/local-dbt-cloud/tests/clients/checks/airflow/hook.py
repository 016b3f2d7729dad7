"""Every method of the provider's hook, in the worker's way (requests) and the triggerer's."""

import asyncio
import inspect
import re
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunStatus


@pytest.fixture
def hook():
    """The hook of the connection `dbt_cloud_default`."""
    return DbtCloudHook()


def data(response):
    return response.json()["data"]


class TestReading:
    def test_connection(self, hook):
        """The button in Airflow's UI is green."""
        assert hook.test_connection() == (True, "Successfully connected to dbt Cloud.")
        assert hook.get_conn().auth.token
        assert hook.connection.login

    def test_accounts(self, hook, dbt_cloud):
        """The account of the connection; the list of accounts is the root of the host."""
        assert data(hook.get_account())["id"] == dbt_cloud.account
        assert hook.list_accounts().status_code == 200

    def test_projects_and_environments(self, hook, dbt_cloud):
        """Projects and environments are listed by a part of their name, and read by id."""
        (projects,) = hook.list_projects(name_contains="tin")
        (environments,) = hook.list_environments(dbt_cloud.project, name_contains="produ")
        project = hook.get_project(dbt_cloud.project)
        environment = hook.get_environment(dbt_cloud.project, dbt_cloud.environment)

        assert [each["id"] for each in data(projects)] == [dbt_cloud.project]
        assert [each["id"] for each in data(environments)] == [dbt_cloud.environment]
        assert data(project)["connection"]["type"] == "postgres"
        assert data(environment)["name"] == "Production"

    def test_jobs(self, hook, dbt_cloud):
        """Jobs are listed with every filter, read by id, and found by three names."""
        build = dbt_cloud.jobs["Build"]
        (jobs,) = hook.list_jobs(
            order_by="-id",
            project_id=dbt_cloud.project,
            environment_id=dbt_cloud.environment,
            name_contains="build",
        )
        names = {"project_name": "Tiny", "environment_name": "Production", "job_name": "Build"}

        assert [job["id"] for job in data(jobs)] == [build]
        assert data(hook.get_job(build))["name"] == "Build"
        assert hook.get_job_by_name(**names)["id"] == build
        with pytest.raises(AirflowException, match="Found 0 jobs"):
            hook.get_job_by_name(**{**names, "job_name": "Nothing"})

    def test_runs(self, hook, dbt_cloud):
        """Runs are listed in pages, filtered, and read with what is related."""
        job, run_id = dbt_cloud.jobs["Fail"], dbt_cloud.runs["error"]
        pages = hook.list_job_runs(
            job_definition_id=job, order_by="id", include_related=["trigger", "job"]
        )
        payload = {"job_definition_id": job, "status__in": "[20]", "order_by": "id", "limit": 1}
        run = data(hook.get_job_run(run_id, include_related=["run_steps,job"]))

        assert data(pages[0])[0]["id"] == run_id
        assert data(pages[0])[0]["trigger"]["cause"] == "a test"
        assert [each["id"] for each in data(hook.get_job_runs(payload=payload))] == [run_id]
        assert run["job"]["execute_steps"][1] == "dbt build --select broken"
        assert hook.get_job_run_status(run_id) == DbtCloudJobRunStatus.ERROR.value

    def test_reason_of_a_failure(self, hook, dbt_cloud, capsys):
        """The hook logs the reason, the step that failed, and what dbt said in it."""
        hook.log_job_run_failure_details(dbt_cloud.runs["error"])
        logged = capsys.readouterr().out

        assert "division by zero" in logged
        assert "dbt build --select broken" in logged

    def test_artifacts(self, hook, dbt_cloud):
        """Artifacts are listed and read, per step, one by one and several at once."""
        run_id = dbt_cloud.runs["success"]
        results = hook.get_job_run_artifact(run_id, "run_results.json", step=4).json()
        both = asyncio.run(
            hook.get_job_run_artifacts_concurrently(
                run_id=run_id, step=4, artifacts=["manifest.json", "run_results.json"]
            )
        )

        assert "catalog.json" in data(hook.list_job_run_artifacts(run_id))
        assert results["args"]["which"] == "build"
        assert both["run_results.json"] == results
        with pytest.raises(AirflowException, match="404"):
            hook.get_job_run_artifact(run_id, "run_results.json", step=1)

    def test_wrong_token(self, dbt_cloud, monkeypatch):
        """A wrong token is refused with 401."""
        import json
        import os

        connection = json.loads(os.environ["AIRFLOW_CONN_DBT_CLOUD_DEFAULT"])
        wrong = json.dumps({**connection, "password": "wrong"})
        monkeypatch.setenv("AIRFLOW_CONN_STRANGER", wrong)

        with pytest.raises(AirflowException, match="401"):
            DbtCloudHook("stranger").get_job(dbt_cloud.jobs["Build"])


class TestWriting:
    def test_trigger_and_wait(self, hook, dbt_cloud):
        """A run is triggered with overrides and waited for."""
        answer = hook.trigger_job_run(
            dbt_cloud.jobs["Build"],
            cause="x" * 300,
            steps_override=["dbt run"],
            schema_override="elsewhere",
            additional_run_config={"threads_override": 2},
        )
        run_id = data(answer)["id"]

        assert hook.wait_for_job_run_status(run_id, check_interval=1, timeout=60)
        trigger = dbt_cloud.run(run_id)["trigger"]
        assert trigger["cause"] == "x" * 255
        assert (trigger["schema_override"], trigger["threads_override"]) == ("elsewhere", 2)

    def test_cancel(self, hook, held_run):
        """A run in progress is cancelled."""
        hook.cancel_job_run(held_run)

        assert hook.get_job_run_status(held_run) == DbtCloudJobRunStatus.CANCELLED.value

    def test_retry(self, hook, dbt_cloud):
        """A failed run is resumed, by the trigger that may and by the retry itself."""
        resumed = []
        for retry in (
            lambda job: hook.trigger_job_run(job, cause="again", retry_from_failure=True),
            hook.retry_failed_job_run,
        ):
            dbt_cloud.next_run_ends("error", "Fail")
            failed = dbt_cloud.finish(dbt_cloud.trigger("Fail"))
            run = data(retry(dbt_cloud.jobs["Fail"]))
            dbt_cloud.finish(run["id"])
            resumed.append(run["retrying_run_id"] == failed["id"])

        assert resumed == [True, True]


class TestInTheTriggerer:
    def test_details_and_status(self, hook, dbt_cloud):
        """What the triggerer asks through aiohttp is answered the same."""
        run_id = dbt_cloud.runs["success"]

        async def ask():
            await hook.get_headers_tenants_from_connection()
            details = await hook.get_job_details(run_id, include_related=["run_steps", "job"])
            return details["data"], await hook.get_job_status(run_id)

        run, status = asyncio.run(ask())

        assert status == DbtCloudJobRunStatus.SUCCESS.value
        assert run["job"]["id"] == dbt_cloud.jobs["Build"]
        assert len(run["run_steps"]) == 5


def test_no_method_is_left_out():
    """No public method of the hook that talks to dbt Cloud is left out."""
    called = set(re.findall(r"hook\.(\w+)", Path(__file__).read_text()))
    public = {
        name
        for name, member in vars(DbtCloudHook).items()
        if not name.startswith("_") and callable(getattr(DbtCloudHook, name))
        if inspect.isroutine(inspect.unwrap(getattr(DbtCloudHook, name)))
    }
    without_dbt_cloud = {"get_ui_field_behaviour", "get_request_url_params"}

    assert public - without_dbt_cloud - called == set()
