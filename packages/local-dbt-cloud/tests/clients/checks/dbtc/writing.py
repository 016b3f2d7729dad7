"""What dbtc writes: runs, jobs, and what jobs need."""

import pytest
from dbtc import dbtCloudClient


@pytest.fixture(scope="module")
def cloud(dbt_cloud):
    """The Administrative API as dbtc sees it."""
    return dbtCloudClient(service_token=dbt_cloud.token, host=dbt_cloud.host).cloud


@pytest.fixture
def new_project(cloud, dbt_cloud):
    """The id of a project of a check's own; deleted in the end."""
    project = cloud.create_project(dbt_cloud.account, {"name": "From dbtc"})["data"]
    yield project["id"]
    cloud.delete_project(dbt_cloud.account, project["id"])


@pytest.fixture
def new_job(cloud, dbt_cloud):
    """A job with no more keys than dbt Cloud needs; deleted in the end."""
    payload = {
        "project_id": dbt_cloud.project,
        "environment_id": dbt_cloud.environment,
        "name": "From dbtc",
        "execute_steps": ["dbt build"],
    }
    job = cloud.create_job(dbt_cloud.account, payload)
    assert job["status"]["code"] == 201, job
    yield job["data"]
    cloud.delete_job(dbt_cloud.account, job["data"]["id"])


class TestRuns:
    def test_trigger_and_poll(self, cloud, dbt_cloud):
        """A job is triggered with overrides and polled to its end."""
        payload = {
            "cause": "dbtc",
            "steps_override": ["dbt run", "dbt test"],
            "threads_override": 2,
        }
        run = cloud.trigger_job(
            dbt_cloud.account, dbt_cloud.jobs["Build"], payload, poll_interval=0.1
        )
        steps = dbt_cloud.run(run["data"]["id"])["run_steps"]

        assert run["data"]["status_humanized"] == "Success"
        assert [step["name"] for step in steps][3:] == [
            "Invoke dbt with `dbt run`",
            "Invoke dbt with `dbt test`",
            "Invoke dbt with `dbt docs generate`",
        ]

    def test_trigger_from_failure(self, cloud, dbt_cloud):
        """After a failure, the rerun resumes the failed run."""
        dbt_cloud.next_run_ends("error", "Fail")
        failed = cloud.trigger_job(
            dbt_cloud.account, dbt_cloud.jobs["Fail"], {"cause": "dbtc"}, poll_interval=0.1
        )
        again = cloud.trigger_job_from_failure(
            dbt_cloud.account, dbt_cloud.jobs["Fail"], poll_interval=0.1
        )

        assert failed["data"]["status_humanized"] == "Error"
        assert again["data"]["retrying_run_id"] == failed["data"]["id"]
        assert again["data"]["status_humanized"] == "Success"

    def test_trigger_without_a_cause(self, cloud, dbt_cloud):
        """A trigger that dbt Cloud refuses is answered, and nothing is polled."""
        answer = cloud.trigger_job(dbt_cloud.account, dbt_cloud.jobs["Build"], {})

        assert (answer["status"]["code"], list(answer["data"])) == (400, ["cause"])

    def test_cancel(self, cloud, dbt_cloud, held_run):
        """A run in progress is cancelled."""
        cancelled = cloud.cancel_run(dbt_cloud.account, held_run)

        assert cancelled["data"]["status_humanized"] == "Cancelled"
        assert cancelled["data"]["status_message"] == "Cancelled by user."

    def test_autoscaling_ci(self, cloud, dbt_cloud, held_run):
        """With its job busy, a pull request's run gets a clone of the job, deleted afterwards."""
        payload = {"cause": "dbtc", "github_pull_request_id": 7}
        run = cloud.trigger_autoscaling_ci_job(
            dbt_cloud.account, dbt_cloud.jobs["Hold"], payload, delete_cloned_job=False
        )
        clone = cloud.get_job(dbt_cloud.account, run["data"]["job_definition_id"])["data"]
        cloud.cancel_run(dbt_cloud.account, run["data"]["id"])
        cloud.delete_job(dbt_cloud.account, clone["id"])

        assert clone["id"] != dbt_cloud.jobs["Hold"]
        assert clone["name"].startswith("Hold [CLONED ")
        assert clone["execute_steps"] == ["dbt build --exclude broken"]


class TestJobs:
    def test_create_with_few_keys(self, new_job, dbt_cloud):
        """What was left out gets dbt Cloud's defaults."""
        assert new_job["name"] == "From dbtc"
        assert new_job["settings"] == {"threads": 4, "target_name": "default"}
        assert new_job["state"] == 1

    def test_update(self, cloud, new_job, dbt_cloud):
        """A job is updated with the whole of it, as it was read, changed."""
        changed = {**new_job, "name": "Renamed", "execute_steps": ["dbt run"]}
        cloud.update_job(dbt_cloud.account, new_job["id"], changed)
        read = cloud.get_job(dbt_cloud.account, new_job["id"])["data"]

        assert (read["name"], read["execute_steps"]) == ("Renamed", ["dbt run"])

    def test_delete(self, cloud, dbt_cloud, new_job):
        """A deleted job is answered once more, with state 2, and is gone."""
        deleted = cloud.delete_job(dbt_cloud.account, new_job["id"])

        assert deleted["data"]["state"] == 2
        assert cloud.get_job(dbt_cloud.account, new_job["id"])["status"]["code"] == 404


class TestWhatJobsNeed:
    def test_project(self, cloud, dbt_cloud, new_project):
        """A project is updated, and is gone once it is deleted."""
        account = dbt_cloud.account
        project = cloud.get_project(account, new_project)["data"]
        cloud.update_project(account, new_project, {**project, "name": "Renamed"})
        renamed = cloud.get_project(account, new_project)["data"]
        cloud.delete_project(account, new_project)

        assert renamed["name"] == "Renamed"
        assert cloud.get_project(account, new_project)["status"]["code"] == 404

    def test_environment(self, cloud, dbt_cloud, new_project):
        """An environment is created, updated, and deleted from the account."""
        account = dbt_cloud.account
        payload = {
            "account_id": account,
            "project_id": new_project,
            "name": "Staging",
            "type": "deployment",
            "dbt_version": "latest",
            "deployment_type": "staging",
        }
        environment = cloud.create_environment(account, new_project, payload)["data"]
        update = {**environment, "name": "Quality"}
        cloud.update_environment(account, new_project, environment["id"], update)
        renamed = cloud.get_environment(account, new_project, environment["id"])["data"]

        assert renamed["name"] == "Quality"
        assert cloud.delete_environment(account, environment["id"])["data"]["state"] == 2

    def test_connection(self, cloud, dbt_cloud, new_project):
        """A connection is created, updated, and deleted."""
        details = {"hostname": "warehouse", "port": 5432, "dbname": "warehouse"}
        payload = {"name": "Other", "type": "postgres", "details": details}
        where = (dbt_cloud.account, new_project)
        made = cloud.create_connection(*where, payload)["data"]
        renamed = cloud.update_connection(*where, made["id"], {**payload, "name": "New"})["data"]

        assert made["details"]["hostname"] == "warehouse"
        assert renamed["name"] == "New"
        assert cloud.delete_connection(*where, made["id"])["data"]["state"] == 2

    def test_credentials(self, cloud, dbt_cloud, new_project):
        """Credentials are created, updated in whole and in part, and deleted."""
        payload = {"type": "postgres", "username": "one", "password": "p", "default_schema": "a"}
        where = (dbt_cloud.account, new_project)
        made = cloud.create_credentials(*where, payload)["data"]
        part = cloud.partial_update_credentials(*where, made["id"], {"default_schema": "b"})
        whole = cloud.update_credentials(*where, made["id"], {**payload, "username": "two"})

        assert "password" not in made
        assert (part["data"]["username"], part["data"]["default_schema"]) == ("one", "b")
        assert (whole["data"]["username"], whole["data"]["default_schema"]) == ("two", "a")
        assert cloud.delete_credentials(*where, made["id"])["data"]["state"] == 2

    def test_repository(self, cloud, dbt_cloud, new_project):
        """A repository is created, updated, and deleted."""
        payload = {"remote_url": "git@host:owner/tiny.git", "git_clone_strategy": "deploy_key"}
        where = (dbt_cloud.account, new_project)
        made = cloud.create_repository(*where, payload)["data"]
        update = {**payload, "remote_url": "git@host:owner/other.git"}
        changed = cloud.update_repository(*where, made["id"], update)["data"]

        assert made["remote_url"].endswith("tiny.git")
        assert changed["remote_url"].endswith("other.git")
        assert cloud.delete_repository(*where, made["id"])["data"]["state"] == 2

    def test_adapter(self, cloud, dbt_cloud, new_project):
        """An adapter is created, read, updated, and deleted."""
        where = (dbt_cloud.account, new_project)
        made = cloud.create_adapter(*where, {"adapter_version": "databricks_v0"})["data"]
        read = cloud.get_adapter(*where, made["id"])["data"]
        cloud.update_adapter(*where, made["id"], {"adapter_version": "trino_v0"})

        assert read["adapter_version"] == "databricks_v0"
        assert cloud.delete_adapter(*where, made["id"])["data"]["adapter_version"] == "trino_v0"

    def test_environment_variables(self, cloud, dbt_cloud, new_job):
        """A job's own value of a variable is created, updated, and deleted."""
        account, project = dbt_cloud.account, dbt_cloud.project
        payload = {
            "account_id": account,
            "project_id": project,
            "name": "DBT_FROM_DBTC",
            "type": "job",
            "job_definition_id": new_job["id"],
            "raw_value": "one",
        }
        created = cloud.create_env_vars(account, project, payload)["data"]
        update = {**payload, "id": created["id"], "raw_value": "two"}
        cloud.update_env_vars(account, project, created["id"], update)
        listed = cloud.list_environment_variables(
            account, project, resource_type="job", job_id=new_job["id"]
        )["data"]
        cloud.delete_env_vars(account, project, created["id"])

        assert listed["DBT_FROM_DBTC"]["job"]["value"] == "two"

    def test_environment_variables_in_bulk(self, cloud, dbt_cloud):
        """A project's variable gets values per environment, which change and go, all at once."""
        account, project = dbt_cloud.account, dbt_cloud.project
        values = {"project": "one", "Production": "two"}
        cloud.create_env_vars_bulk(
            account, project, {"env_var": {"new_name": "DBT_IN_BULK", **values}}
        )
        created = cloud.list_environment_variables(account, project)["data"]["variables"]
        # This method's name says update, but it sends what creates.
        cloud.update_env_vars_bulk(account, project, {"env_var": {"new_name": "DBT_MORE"}})
        update = {"name": "DBT_IN_BULK", "project": "three"}
        cloud.update_environment_variables(account, project, {"env_vars": update})
        changed = cloud.list_environment_variables(account, project)["data"]["variables"]
        cloud.delete_env_vars_bulk(account, project, {"name": "DBT_IN_BULK"})
        left = cloud.list_environment_variables(account, project)["data"]["variables"]

        assert created["DBT_IN_BULK"]["Production"]["value"] == "two"
        assert changed["DBT_IN_BULK"]["project"]["value"] == "three"
        assert "DBT_IN_BULK" not in left

    def test_webhook(self, cloud, dbt_cloud):
        """A subscription is created, read, tested, updated, and deleted."""
        account = dbt_cloud.account
        payload = {
            "name": "From dbtc",
            "active": False,
            "client_url": "http://127.0.0.1:1/",
            "event_types": ["job.run.completed"],
        }
        webhook = cloud.create_webhook(account, payload)["data"]
        tested = cloud.test_webhook(account, webhook["id"])["data"]
        cloud.update_webhook(account, webhook["id"], {**payload, "name": "Renamed"})
        read = cloud.get_webhook(account, webhook["id"])["data"]
        cloud.delete_webhook(account, webhook["id"])

        assert webhook["hmac_secret"]
        assert tested["verification_error"]
        assert read["name"] == "Renamed"
