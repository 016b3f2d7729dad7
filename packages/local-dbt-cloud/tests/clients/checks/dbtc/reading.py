"""What dbtc reads: every method that gets or lists, and that this server answers."""

import pytest
from dbtc import dbtCloudClient


@pytest.fixture(scope="module")
def cloud(dbt_cloud):
    """The Administrative API as dbtc sees it."""
    return dbtCloudClient(service_token=dbt_cloud.token, host=dbt_cloud.host).cloud


def test_accounts(cloud, dbt_cloud):
    """The account is found in the list, by its id and by its name."""
    assert [each["id"] for each in cloud.list_accounts()["data"]] == [dbt_cloud.account]
    assert cloud.get_account(dbt_cloud.account)["data"]["run_slots"] == 4
    assert cloud.get_account_by_name("Local")["data"]["id"] == dbt_cloud.account


def test_projects(cloud, dbt_cloud):
    """The project is found in the list, by its ids and by its name."""
    account, project = dbt_cloud.account, dbt_cloud.project
    listed = cloud.list_projects(account, project_id=[project, 1], limit=5)

    assert [each["id"] for each in listed["data"]] == [project]
    assert cloud.get_project(account, project)["data"]["name"] == "Tiny"
    assert cloud.get_project_by_name("Tiny")["data"]["id"] == project
    assert cloud.get_project_by_name("Tiny", account_id=account)["data"]["id"] == project
    with pytest.raises(Exception, match='Project "Nothing" was not found'):
        cloud.get_project_by_name("Nothing", account_id=account)


def test_environments(cloud, dbt_cloud):
    """The environment is found per project and per account, with dbtc's own list filters."""
    account, project, environment = dbt_cloud.account, dbt_cloud.project, dbt_cloud.environment
    production = cloud.list_environments(account, project, deployment_type="production", limit=1)
    staging = cloud.list_environments(account, project, deployment_type=["staging"])

    assert [each["id"] for each in production["data"]] == [environment]
    assert staging["data"] == []
    assert cloud.get_environment(account, project, environment)["data"]["type"] == "deployment"
    of_account = cloud.list_environments_by_account(account)["data"]
    assert environment in {each["id"] for each in of_account}


def test_connections(cloud, dbt_cloud):
    """The project's connection is listed and read."""
    account, project = dbt_cloud.account, dbt_cloud.project
    (connection,) = cloud.list_connections(account, project, state=1)["data"]
    read = cloud.get_connection(account, project, connection["id"])["data"]

    assert (read["name"], read["type"]) == ("Warehouse", "postgres")


def test_credentials_and_repositories(cloud, dbt_cloud):
    """What the environment refers to is listed and read."""
    account, project = dbt_cloud.account, dbt_cloud.project
    environment = cloud.get_environment(account, project, dbt_cloud.environment)["data"]
    credentials = [each["id"] for each in cloud.list_credentials(account, project)["data"]]
    (repository,) = cloud.list_repositories(account, project)["data"]
    read = cloud.get_credentials(account, project, credentials[0])["data"]

    assert credentials == [environment["credentials_id"]]
    assert read["default_schema"] == "tiny"
    assert cloud.get_repository(account, project, repository["id"])["data"] == repository


def test_users(cloud, dbt_cloud):
    """Whoever has the token is the one user."""
    (user,) = cloud.list_users(dbt_cloud.account)["data"]

    assert cloud.get_user(dbt_cloud.account, user["id"])["data"]["email"] == user["email"]


def test_jobs(cloud, dbt_cloud):
    """Jobs are listed by project and environment, in order, in pages, and read by id."""
    account = dbt_cloud.account
    filters = {"project_id": dbt_cloud.project, "environment_id": dbt_cloud.environment}
    listed = cloud.list_jobs(account, **filters, order_by="-id", limit=2)
    job = cloud.get_job(account, dbt_cloud.jobs["Build"], include_related=["environment"])

    assert len(listed["data"]) == 2
    assert listed["extra"]["pagination"]["count"] == 2
    assert listed["data"][0]["id"] > listed["data"][1]["id"]
    assert job["data"]["name"] == "Build"
    assert job["data"]["environment"]["id"] == dbt_cloud.environment


def test_runs(cloud, dbt_cloud):
    """Runs are listed by status in dbtc's words, newest first, and read with what is related."""
    account, run_id = dbt_cloud.account, dbt_cloud.runs["error"]
    failed = cloud.list_runs(
        account, status=["error"], job_definition_id=dbt_cloud.jobs["Fail"], order_by="id", limit=1
    )
    run = cloud.get_run(account, run_id, include_related=["trigger", "job", "run_steps"])["data"]

    assert [each["id"] for each in failed["data"]] == [run_id]
    assert run["trigger"]["cause"] == "a test"
    assert run["job"]["id"] == dbt_cloud.jobs["Fail"]
    assert [step["status_humanized"] for step in run["run_steps"]][-1] == "Error"


def test_most_recent_run(cloud, dbt_cloud):
    """The newest run of a job that ended in a certain way; an empty one when there is none."""
    account, job_id = dbt_cloud.account, dbt_cloud.jobs["Hold"]
    cancelled = cloud.get_most_recent_run(account, job_definition_id=job_id, status="cancelled")
    none = cloud.get_most_recent_run(account, job_definition_id=job_id, project_id=1)

    assert cancelled["data"]["status_humanized"] == "Cancelled"
    assert none["data"] == {}


def test_artifacts(cloud, dbt_cloud):
    """Artifacts are listed and read: JSON as an object, the rest as text, per step."""
    account, run_id = dbt_cloud.account, dbt_cloud.runs["success"]
    listed = cloud.list_run_artifacts(account, run_id)["data"]
    sql = next(path for path in listed if path.startswith("compiled/") and path.endswith("one.sql"))
    results = cloud.get_run_artifact(account, run_id, "run_results.json", step=4)
    missing = cloud.get_run_artifact(account, run_id, "run_results.json", step=1)

    assert {"manifest.json", "run_results.json", "catalog.json"} <= set(listed)
    assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run_id)
    assert "select 1 as id" in cloud.get_run_artifact(account, run_id, sql)
    assert missing["status"]["code"] == 404


def test_most_recent_run_artifact(cloud, dbt_cloud):
    """The artifact of a job's newest successful run."""
    manifest = cloud.get_most_recent_run_artifact(
        dbt_cloud.account, "manifest.json", job_definition_id=dbt_cloud.jobs["Build"]
    )

    assert "model.tiny.two" in manifest["nodes"]


def test_environment_variables(cloud, dbt_cloud):
    """Variables are listed per environment and per job."""
    account, project = dbt_cloud.account, dbt_cloud.project
    per_environment = cloud.list_environment_variables(account, project)
    per_job = cloud.list_environment_variables(
        account, project, resource_type="job", job_id=dbt_cloud.jobs["Build"]
    )

    assert per_environment["data"]["environments"][0] == "project"
    assert isinstance(per_job["data"], dict)


def test_webhooks(cloud, dbt_cloud):
    """An account without webhooks lists none."""
    assert cloud.list_webhooks(dbt_cloud.account, limit=5)["data"] == []


def test_wrong_token(dbt_cloud):
    """A wrong token gets dbt Cloud's own 401."""
    stranger = dbtCloudClient(service_token="wrong", host=dbt_cloud.host).cloud
    answer = stranger.get_account(dbt_cloud.account)

    assert answer["status"]["code"] == 401
    assert answer["status"]["user_message"] == "Invalid token."
