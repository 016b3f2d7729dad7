"""dagster-dbt's first integration, `dagster_dbt.cloud`: client, op, and assets of a job."""

import pytest
from dagster import Failure, job, materialize
from dagster_dbt import dbt_cloud_run_op, load_assets_from_dbt_cloud_job
from dagster_dbt.cloud.resources import DbtCloudClient, DbtCloudClientResource


@pytest.fixture(scope="module")
def resource(dbt_cloud):
    """The resource that Dagster users configure; refusals are not repeated."""
    return DbtCloudClientResource(
        auth_token=dbt_cloud.token,
        account_id=dbt_cloud.account,
        dbt_cloud_host=dbt_cloud.url,
        request_max_retries=0,
        disable_schedule_on_trigger=False,
    )


@pytest.fixture(scope="module")
def client(dbt_cloud):
    """The client inside the resource."""
    return DbtCloudClient(
        auth_token=dbt_cloud.token,
        account_id=dbt_cloud.account,
        disable_schedule_on_trigger=False,
        request_max_retries=0,
        dbt_cloud_host=dbt_cloud.url,
    )


def test_jobs(client, dbt_cloud):
    """Jobs are listed newest first, and read by id."""
    ids = [each["id"] for each in client.list_jobs(dbt_cloud.project)]

    assert ids == sorted(ids, reverse=True)
    assert client.get_job(dbt_cloud.jobs["Build"])["name"] == "Build"


def test_update_of_a_job(client, dbt_cloud):
    """A job is updated with all that was read of it, merged with what is to change."""
    hold = dbt_cloud.jobs["Hold"]
    client.update_job(hold, description="by Dagster", triggers={"schedule": True})
    changed = client.get_job(hold)
    client.update_job(hold, description="", triggers={"schedule": False})

    assert (changed["description"], changed["triggers"]["schedule"]) == ("by Dagster", True)
    assert changed["execute_steps"] == ["dbt build --exclude broken"]


def test_runs(client, dbt_cloud):
    """Runs are listed with trigger and job as objects, and read with their steps."""
    run_id = dbt_cloud.runs["error"]
    (run,) = client.get_runs(
        include_related=["trigger", "job"], job_id=dbt_cloud.jobs["Fail"], order_by="id", limit=1
    )

    assert (run["id"], run["job"]["id"]) == (run_id, dbt_cloud.jobs["Fail"])
    assert run["trigger"]["cause"] == "a test"
    assert client.get_run(run_id, include_related=["run_steps"])["run_steps"]
    assert client.get_run_steps(run_id)[1] == "dbt build --select broken"


def test_artifacts(client, dbt_cloud):
    """Artifacts are listed, and read as text and as JSON, from a step."""
    run_id = dbt_cloud.runs["success"]

    assert "manifest.json" in client.list_run_artifacts(run_id, step=4)
    assert "model.tiny.two" in client.get_manifest(run_id)["nodes"]
    assert client.get_run_results(run_id, step=4)["args"]["which"] == "build"
    text = client.get_run_artifact(run_id, "compiled/tiny/models/two.sql", step=4)
    assert '"tiny"."one"' in text


def test_run_and_poll(client, dbt_cloud):
    """A job is run with overrides and polled; the output has the run and its results."""
    output = client.run_job_and_poll(
        dbt_cloud.jobs["Build"], poll_interval=0.1, steps_override=["dbt run"], cause="Dagster"
    )

    assert output.run_details["status_humanized"] == "Success"
    assert output.run_details["trigger"]["steps_override"] == ["dbt run"]
    assert output.result["results"]


def test_failed_run(client, dbt_cloud):
    """A failed run raises with dbt Cloud's status message."""
    dbt_cloud.next_run_ends("error", "Fail", failed=["two"])

    with pytest.raises(Failure, match=r"Status Message: .*model\.tiny\.two"):
        client.run_job_and_poll(dbt_cloud.jobs["Fail"], poll_interval=0.1)


def test_cancel_and_time_limit(client, dbt_cloud, held_run):
    """A run that takes too long is cancelled by Dagster."""
    with pytest.raises(Failure, match="timed out"):
        client.poll_run(held_run, poll_interval=0.1, poll_timeout=0.2)

    assert dbt_cloud.finish(held_run)["is_cancelled"]


def test_environment_variables(client, dbt_cloud):
    """A job's own value of a variable is read and set."""
    project, build = dbt_cloud.project, dbt_cloud.jobs["Build"]
    created = dbt_cloud.api(
        "POST",
        f"v3/projects/{project}/environment-variables/",
        {
            "account_id": dbt_cloud.account,
            "project_id": project,
            "name": "DBT_DAGSTER",
            "type": "job",
            "job_definition_id": build,
            "raw_value": "one",
        },
    )
    client.set_job_environment_variable(project, build, created["id"], "DBT_DAGSTER", "two")
    variables = client.get_job_environment_variables(project, build)
    dbt_cloud.api("DELETE", f"v3/projects/{project}/environment-variables/{created['id']}/")

    assert variables["DBT_DAGSTER"]["job"]["value"] == "two"


def test_op(resource, dbt_cloud):
    """The op in a Dagster job runs the dbt Cloud job and yields what it materialized."""
    run_build = dbt_cloud_run_op.configured(
        {"job_id": dbt_cloud.jobs["Build"], "poll_interval": 0.1}, name="run_build"
    )

    @job(resource_defs={"dbt_cloud": resource})
    def build():
        run_build()

    done = build.execute_in_process()
    keys = [
        event.materialization.asset_key.path[-1]
        for event in done.events_for_node("run_build")
        if event.is_step_materialization
    ]

    assert done.success
    assert set(keys) >= {"one", "two"}


def test_assets_of_a_job(resource, dbt_cloud):
    """A dbt Cloud job becomes assets, by compiling it, and materializing them runs it."""
    loaded = load_assets_from_dbt_cloud_job(resource, dbt_cloud.jobs["Build"])
    assets = loaded.build_definitions(loaded.compute_cacheable_data())
    keys = {key.path[-1] for each in assets for key in each.keys}
    done = materialize(assets)
    materialized = {
        event.materialization.asset_key.path[-1]
        for event in done.get_asset_materialization_events()
    }

    assert keys >= {"one", "two"}
    assert done.success
    assert materialized == keys
