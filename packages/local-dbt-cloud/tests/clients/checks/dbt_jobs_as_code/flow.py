"""
dbt-jobs-as-code from a first plan to the last unlink, as a team's CI would call it.

Covers the scenarios of its own integration tests (plan, sync, plan again, sync again, once per
project and once per file), and every other command.
"""

from pathlib import Path

import pytest
from dbt_jobs_as_code.client import DBTCloud
from ruamel.yaml import YAML
from seeded_dbt_cloud import CommandLine


JOBS = """\
jobs:
  nightly:
    account_id: {account}
    project_id: {project}
    environment_id: {environment}
    name: Nightly
    dbt_version: null
    settings: {{threads: 8, target_name: production}}
    execution: {{timeout_seconds: 3600}}
    run_generate_sources: true
    generate_docs: false
    execute_steps: [dbt seed, "dbt run --select one+"]
    schedule: {{cron: "15 5 * * 1-5"}}
    triggers: {{github_webhook: false, schedule: true, on_merge: false}}
    description: Every working day.
    custom_environment_variables:
      - DBT_LIMIT: "100"
  pull_request:
    account_id: {account}
    project_id: {project}
    environment_id: {environment}
    name: Pull request
    settings: {{threads: 4, target_name: default}}
    run_generate_sources: false
    generate_docs: false
    run_compare_changes: true
    execute_steps: ["dbt build --select state:modified+"]
    triggers: {{github_webhook: true, schedule: false, on_merge: false}}
    job_type: ci
    triggers_on_draft_pr: true
    deferring_environment_id: {environment}
  after_nightly:
    account_id: {account}
    project_id: {project}
    environment_id: {environment}
    name: After nightly
    settings: {{threads: 4, target_name: default}}
    run_generate_sources: false
    generate_docs: true
    execute_steps: [dbt docs generate]
    schedule: {{cron: "0 * * * *"}}
    triggers: {{github_webhook: false, schedule: false, on_merge: false}}
    job_type: other
    self_deferring: true
    job_completion_trigger_condition:
      condition: {{job_id: {build}, project_id: {project}, statuses: [10, 20]}}
"""


@pytest.fixture
def tool(dbt_cloud):
    """The command line, with account and token in its process environment."""
    return CommandLine(
        "dbt-jobs-as-code", {"DBT_BASE_URL": dbt_cloud.url, "DBT_API_KEY": dbt_cloud.token}
    )


@pytest.fixture
def cloud(dbt_cloud):
    """What the tool asks of dbt Cloud, to look at what it did."""
    return DBTCloud(dbt_cloud.account, dbt_cloud.token, base_url=dbt_cloud.url)


@pytest.fixture
def jobs_file(dbt_cloud, cloud, tmp_path):
    """Three jobs, of three kinds; whatever is linked to them is deleted in the end."""
    path = tmp_path / "jobs.yml"
    path.write_text(
        JOBS.format(
            account=dbt_cloud.account,
            project=dbt_cloud.project,
            environment=dbt_cloud.environment,
            build=dbt_cloud.jobs["Build"],
        )
    )
    yield path
    for job in cloud.get_jobs():
        if job.identifier is not None:
            cloud.delete_job(job)


@pytest.fixture
def synced(tool, jobs_file, dbt_cloud):
    """The file, with its jobs in dbt Cloud."""
    tool("sync", jobs_file, "-p", dbt_cloud.project)
    return jobs_file


def managed(cloud):
    """The jobs that are linked to the file, by their identifier."""
    return {job.identifier: job for job in cloud.get_jobs() if job.identifier}


@pytest.mark.parametrize("limit", ["project", "environment", "file"])
def test_plan_sync_plan_sync(tool, jobs_file, dbt_cloud, limit):
    """What a plan announces a sync does, and then neither finds anything left to do."""
    options = {
        "project": ["-p", dbt_cloud.project],
        "environment": ["-e", dbt_cloud.environment],
        "file": ["-l"],
    }[limit]
    planned = tool.json("plan", jobs_file, *options, "--json")
    done = tool("sync", jobs_file, *options)

    assert {change["action"].lower() for change in planned["job_changes"]} >= {"create"}
    assert "| ERROR" not in done
    assert "No changes detected" in tool("plan", jobs_file, *options)
    assert "No changes detected" in tool("sync", jobs_file, *options)


def test_synced_jobs_are_as_declared(synced, cloud, dbt_cloud):
    """Every key of the file arrives: schedule, triggers, kind, deferral, chain, variables."""
    jobs = managed(cloud)
    nightly, pull_request, after = (
        jobs[name] for name in ("nightly", "pull_request", "after_nightly")
    )
    variables = cloud.get_env_vars(dbt_cloud.project, nightly.id)

    assert (nightly.schedule.cron, nightly.job_type) == ("15 5 * * 1-5", "scheduled")
    assert nightly.execution.timeout_seconds == 3600
    assert variables["DBT_LIMIT"].raw_value == "100"
    assert (pull_request.job_type, pull_request.deferring_environment_id) == (
        "ci",
        dbt_cloud.environment,
    )
    assert (pull_request.triggers_on_draft_pr, pull_request.run_compare_changes) == (True, True)
    assert after.deferring_job_definition_id == after.id
    assert after.job_completion_trigger_condition.condition.statuses == [10, 20]


def test_a_change_of_the_file(tool, synced, cloud, dbt_cloud):
    """A changed job is updated, a variable too, and a job that left the file is deleted."""
    yaml = YAML()
    content = yaml.load(synced.read_text())
    content["jobs"]["nightly"]["execute_steps"] = ["dbt build"]
    content["jobs"]["nightly"]["custom_environment_variables"] = [{"DBT_LIMIT": "200"}]
    del content["jobs"]["after_nightly"]
    yaml.dump(content, synced)
    tool("sync", synced, "-p", dbt_cloud.project)
    jobs = managed(cloud)

    assert sorted(jobs) == ["nightly", "pull_request"]
    assert jobs["nightly"].execute_steps == ["dbt build"]
    limit = cloud.get_env_vars(dbt_cloud.project, jobs["nightly"].id)["DBT_LIMIT"]
    assert limit.raw_value == "200"
    content["jobs"]["nightly"]["custom_environment_variables"] = []
    yaml.dump(content, synced)
    tool("sync", synced, "-p", dbt_cloud.project)
    cloud._clear_env_var_cache(jobs["nightly"].id)
    assert "DBT_LIMIT" not in cloud.get_env_vars(dbt_cloud.project, jobs["nightly"].id)


def test_json_of_a_sync(tool, jobs_file, dbt_cloud):
    """`sync --json` tells what was applied."""
    done = tool.json("sync", jobs_file, "-p", dbt_cloud.project, "--json")

    assert done["apply_success"] is True
    assert len(done["applied"]["job_changes"]) >= 3


def test_validate(tool, jobs_file):
    """`validate --online` finds projects, environments and jobs by their ids."""
    assert "The config file is valid" in tool("validate", jobs_file, "--online")
    jobs_file.write_text(jobs_file.read_text().replace("environment_id: 7", "environment_id: 6"))
    assert "environment IDs are not valid" in tool("validate", jobs_file, "--online", code=1)


def test_import_and_link(tool, cloud, dbt_cloud, tmp_path):
    """A job made by hand is imported, linked under the name it gets there, and unlinked."""
    build = dbt_cloud.jobs["Build"]
    imported = tool.shown(
        *("import-jobs", "--account-id", dbt_cloud.account, "-j", build, "--include-linked-id")
    )
    path = tmp_path / "imported.yml"
    path.write_text(imported)
    tool("link", path, "--dry-run")
    untouched = managed(cloud)
    tool("link", path)
    linked = managed(cloud)
    tool("unlink", "--config", path)

    assert untouched == {}
    assert [job.id for job in linked.values()] == [build]
    assert managed(cloud) == {}
    assert cloud.get_job(build).name == "Build"


def test_link_by_description(tool, cloud, dbt_cloud, tmp_path):
    """With `--use-desc-for-id` the name stays and the description carries the identifier."""
    build = dbt_cloud.jobs["Build"]
    path = tmp_path / "linked.yml"
    imported = tool.shown(
        *("import-jobs", "--account-id", dbt_cloud.account, "-j", build, "--include-linked-id")
    )
    path.write_text(imported)
    tool("link", path, "--use-desc-for-id")
    job = dbt_cloud.api("GET", f"v2/jobs/{build}/")
    tool("unlink", "--config", path, "--use-desc-for-id")

    assert job["name"] == "Build"
    assert job["description"].startswith("[[import_")
    assert dbt_cloud.api("GET", f"v2/jobs/{build}/")["description"] == ""


def test_update_jobs(tool, cloud, dbt_cloud, synced, tmp_path):
    """`update-jobs` changes a job in place, by its id, without linking it."""
    nightly = managed(cloud)["nightly"]
    imported = tool.shown(
        *("import-jobs", "--account-id", dbt_cloud.account, "-j", nightly.id),
        "--include-linked-id",
    )
    path = tmp_path / "update.yml"
    path.write_text(imported.replace("threads: 8", "threads: 16"))
    tool("update-jobs", path)

    assert cloud.get_job(nightly.id).settings.threads == 16


def test_deactivate(tool, cloud, dbt_cloud, synced):
    """`deactivate-jobs` switches every trigger off."""
    nightly = managed(cloud)["nightly"]
    tool("deactivate-jobs", "--account-id", dbt_cloud.account, "-j", nightly.id)

    assert not cloud.get_job(nightly.id).triggers.schedule


def test_no_unknown_key(tool, dbt_cloud):
    """A job has exactly the keys that the tool's own strict model of dbt Cloud's answer knows."""
    account, build = dbt_cloud.account, dbt_cloud.jobs["Build"]
    tool("import-jobs", "--account-id", account, "-j", build, "--check-missing-fields")


def test_jobs_file_of_this_project(tool):
    """`dbt_cloud_jobs.yml` has the tool's format: what it declares can be validated and planned."""
    path = Path(__file__).parents[6] / "dbt_cloud_jobs.yml"
    planned = tool.json("plan", path, "--json")

    assert {change["action"].lower() for change in planned["job_changes"]} == {"create"}
    assert "valid YML format" in tool("validate", path)


def test_wrong_token(tool, jobs_file):
    """A wrong token ends with dbt Cloud's 401."""
    assert "401 Unauthorized" in tool("plan", jobs_file, code=1, DBT_API_KEY="wrong")


def test_json_of_nothing(tool, synced, dbt_cloud):
    """A plan without changes is an empty list, as JSON."""
    planned = tool.json("plan", synced, "-p", dbt_cloud.project, "--json")

    assert planned == {"job_changes": [], "env_var_overwrite_changes": []}
