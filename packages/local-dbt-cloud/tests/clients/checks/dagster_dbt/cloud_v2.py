"""dagster-dbt's second integration, `dagster_dbt.cloud_v2`: workspace, assets, sensor."""

from datetime import UTC

import pytest
from dagster import AssetExecutionContext, Definitions, build_sensor_context, materialize
from dagster_dbt.cloud_v2 import (
    DbtCloudCredentials,
    DbtCloudWorkspace,
    build_dbt_cloud_polling_sensor,
    dbt_cloud_assets,
    load_dbt_cloud_asset_specs,
)
from dagster_dbt.cloud_v2.sensor_builder import DbtCloudPollingSensorCursor
from dagster_shared.serdes import serialize_value


@pytest.fixture(scope="module")
def workspace(dbt_cloud):
    """The workspace that Dagster users configure, with the job that Dagster makes for itself."""
    found = DbtCloudWorkspace(
        credentials=DbtCloudCredentials(
            account_id=dbt_cloud.account, token=dbt_cloud.token, access_url=dbt_cloud.url
        ),
        project_id=dbt_cloud.project,
        environment_id=dbt_cloud.environment,
        request_max_retries=0,
    )
    yield found
    client = found.get_client()
    for job in client.list_jobs(dbt_cloud.project, dbt_cloud.environment):
        if job["name"].startswith("DAGSTER_ADHOC_JOB"):
            client.destroy_job(job["id"])


@pytest.fixture(scope="module")
def client(workspace):
    """The client inside the workspace; none of its paths ends with a slash."""
    return workspace.get_client()


def test_account_project_environment(client, dbt_cloud):
    """What names the account, the project and the environment is there."""
    client.verify_connection()

    assert client.get_account_details()["id"] == dbt_cloud.account
    assert client.get_project_details(dbt_cloud.project)["name"] == "Tiny"
    assert client.get_environment_details(dbt_cloud.environment)["name"] == "Production"


def test_job(client, dbt_cloud):
    """A job without any step is created, read and deleted; deleting it twice is no error."""
    job = client.create_job(
        project_id=dbt_cloud.project,
        environment_id=dbt_cloud.environment,
        job_name="From Dagster",
        description="",
    )
    read = client.get_job_details(job["id"])
    client.destroy_job(job["id"])

    assert read["execute_steps"] == []
    assert client.destroy_job(job["id"]) is None


def test_run(client, dbt_cloud):
    """A run is triggered, polled and read with its artifacts and logs."""
    run = client.trigger_job_run(dbt_cloud.jobs["Build"], steps_override=["dbt build"])
    done = client.poll_run(run["id"], poll_interval=0.1)
    results = client.get_run_results_json(run["id"])

    assert done["status_humanized"] == "Success"
    assert "run_results.json" in client.list_run_artifacts(run["id"])
    assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])
    assert "model.tiny.two" in client.get_run_manifest_json(run["id"])["nodes"]
    assert "=== Step: Invoke dbt with `dbt build` ===" in client.get_run_logs(run["id"])


def test_runs_of_a_span(client, dbt_cloud):
    """Runs are found by the moment that they finished at."""
    from datetime import datetime, timedelta

    now = datetime.now(UTC)
    span = {
        "project_id": dbt_cloud.project,
        "environment_id": dbt_cloud.environment,
        "finished_at_upper_bound": now,
    }
    runs, total = client.get_runs_batch(finished_at_lower_bound=now - timedelta(days=1), **span)
    none, nothing = client.get_runs_batch(finished_at_lower_bound=now, **span)

    assert {run["id"] for run in runs} >= {dbt_cloud.runs["success"], dbt_cloud.runs["error"]}
    assert total >= 3
    assert (none, nothing) == ([], 0)


def test_busy_job(client, dbt_cloud, held_run):
    """Which jobs have a run in progress; that run can be cancelled."""
    jobs = dbt_cloud.jobs
    busy = client.get_active_job_ids(
        dbt_cloud.project, dbt_cloud.environment, [jobs["Build"], jobs["Hold"]]
    )
    cancelled = client.cancel_run(held_run)

    assert busy == {jobs["Hold"]}
    assert cancelled["status_humanized"] == "Cancelled"


def test_specs(workspace):
    """The workspace is parsed by a run of Dagster's own job, and its models become specs."""
    specs = {spec.key.path[-1]: spec for spec in load_dbt_cloud_asset_specs(workspace)}

    assert set(specs) >= {"one", "two"}
    assert [dep.asset_key.path[-1] for dep in specs["two"].deps] == ["one"]


def test_materialize(workspace):
    """Materializing the assets runs `dbt build` in dbt Cloud, and yields each of them."""

    @dbt_cloud_assets(workspace=workspace)
    def tiny(context: AssetExecutionContext, dbt_cloud: DbtCloudWorkspace):
        yield from dbt_cloud.cli(args=["build"], context=context).wait()

    done = materialize([tiny], resources={"dbt_cloud": workspace})
    keys = {
        event.materialization.asset_key.path[-1]
        for event in done.get_asset_materialization_events()
    }

    assert done.success
    assert keys >= {"one", "two"}


def test_polling_sensor(workspace, dbt_cloud):
    """The sensor reports what runs materialized that Dagster did not start."""
    sensor = build_dbt_cloud_polling_sensor(workspace=workspace)
    repository = Definitions(
        assets=load_dbt_cloud_asset_specs(workspace), sensors=[sensor]
    ).get_repository_def()
    cursor = DbtCloudPollingSensorCursor(finished_at_lower_bound=1.0)
    keys = set()
    for _ in range(20):
        context = build_sensor_context(
            repository_def=repository, cursor=serialize_value(cursor), sensor_name=sensor.name
        )
        events = sensor(context).asset_events
        keys |= {event.asset_key.path[-1] for event in events}
        if keys:
            break

    assert keys >= {"one", "two"}
