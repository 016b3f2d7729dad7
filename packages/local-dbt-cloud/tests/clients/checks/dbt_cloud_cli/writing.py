"""What `dbt-cloud` changes."""

import json

import pytest
from seeded_dbt_cloud import CommandLine


@pytest.fixture(scope="module")
def cli(dbt_cloud):
    """The command line, with account and token in its process environment."""
    return CommandLine("dbt-cloud", dbt_cloud.cli_variables)


def test_run_and_wait(cli, dbt_cloud):
    """`job run --wait` sends every override, null where it was not given, and waits."""
    text = cli(
        *("job", "run", "--job-id", dbt_cloud.jobs["Build"], "--wait", "--threads-override", 2),
        *("--steps-override", '["dbt run"]', "--cause", "From the command line"),
    )
    run = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]["data"]
    names = [step["name"] for step in dbt_cloud.run(run["id"])["run_steps"]]

    assert run["status_humanized"] == "Success"
    assert "Invoke dbt with `dbt run`" in names


def test_run_that_fails(cli, dbt_cloud):
    """`job run --wait` exits with 1 and names the page when the run failed."""
    dbt_cloud.next_run_ends("error", "Fail")
    text = cli("job", "run", "--job-id", dbt_cloud.jobs["Fail"], "--wait", code=1)

    assert "Job run failed with ERROR status" in text
    assert f"{dbt_cloud.url}/deploy/" in text


def test_cancel(cli, held_run):
    """`run cancel` cancels a run in progress."""
    assert cli.json("run", "cancel", "--run-id", held_run)["data"]["status"] == 30


def test_cancel_all(cli, held_run):
    """`run cancel-all` finds the runs in progress by their status and cancels them."""
    text = cli("run", "cancel-all", "--status", "Running", "--yes")

    assert f"Run {held_run} has been cancelled." in text


def test_job_is_created_exported_imported_deleted(cli, dbt_cloud, tmp_path):
    """A job goes through `create`, `export`, `import` and `delete`."""
    created = cli.json(
        *("job", "create", "--name", "From the command line"),
        *("--execute-steps", '["dbt seed", "dbt run"]', "--settings-threads", 8),
    )["data"]
    file = tmp_path / "job.json"
    cli("job", "export", "--job-id", created["id"], "--file", file)
    imported = cli.json("job", "import", "--file", file)["data"]
    deleted = [
        cli.json("job", "delete", "--job-id", job_id)["data"]
        for job_id in (created["id"], imported["id"])
    ]

    assert created["settings"]["threads"] == 8
    assert imported["execute_steps"] == ["dbt seed", "dbt run"]
    assert imported["id"] != created["id"]
    assert [each["state"] for each in deleted] == [2, 2]


def test_project_environment_connection(cli, dbt_cloud):
    """A project gets an environment and a connection; all three are deleted."""
    project = cli.json("project", "create", "--name", "CLI", "--type", 0)["data"]
    renamed = cli.json(
        *("project", "update", "--project-id", project["id"], "--name", "CLI 2", "--type", 0)
    )["data"]
    inside = ["--project-id", project["id"]]
    environment = cli.json(
        *("environment", "create", *inside, "--name", "Staging", "--type", "deployment"),
        *("--dbt-version", "latest", "--deployment-type", "staging"),
    )["data"]
    connection = cli.json(
        *("connection", "create", *inside, "--name", "Other", "--type", "postgres"),
        *("--hostname", "warehouse", "--port", 5432, "--dbname", "other"),
    )["data"]
    gone = [
        cli.json("connection", "delete", *inside, "--connection-id", connection["id"]),
        cli.json("environment", "delete", *inside, "--environment-id", environment["id"]),
        cli.json("project", "delete", *inside),
    ]

    assert renamed["name"] == "CLI 2"
    assert environment["deployment_type"] == "staging"
    assert connection["details"]["port"] == 5432
    assert [each["data"]["state"] for each in gone] == [2, 2, 2]
