"""What `dbt-cloud` shows."""

import json

import pytest
from seeded_dbt_cloud import CommandLine


@pytest.fixture(scope="module")
def cli(dbt_cloud):
    """The command line, with account and token in its process environment."""
    return CommandLine("dbt-cloud", dbt_cloud.cli_variables)


def test_accounts(cli, dbt_cloud):
    """`account list` and `account get` show the account."""
    assert [each["id"] for each in cli.json("account", "list")["data"]] == [dbt_cloud.account]
    assert cli.json("account", "get")["data"]["name"] == "Local"


def test_projects(cli, dbt_cloud):
    """`project list` and `project get` show the project."""
    listed = cli.json("project", "list", "--limit", 5, "--offset", 0)["data"]

    assert dbt_cloud.project in {each["id"] for each in listed}
    assert cli.json("project", "get")["data"]["name"] == "Tiny"


def test_environments(cli, dbt_cloud):
    """`environment list` and `environment get` show the environment."""
    listed = cli.json("environment", "list", "--state", 1)["data"]
    read = cli.json("environment", "get", "--environment-id", dbt_cloud.environment)["data"]

    assert dbt_cloud.environment in {each["id"] for each in listed}
    assert read["name"] == "Production"


def test_connections(cli):
    """`connection list` and `connection get` show the connection."""
    (listed,) = cli.json("connection", "list")["data"]
    read = cli.json("connection", "get", "--connection-id", listed["id"])["data"]

    assert read["details"]["hostname"] == "127.0.0.1"


def test_jobs(cli, dbt_cloud):
    """`job list` and `job get` show the jobs."""
    listed = cli.json("job", "list", "--order-by", "-id", "--project-id", dbt_cloud.project)
    ids = [each["id"] for each in listed["data"]]

    assert set(dbt_cloud.jobs.values()) <= set(ids)
    assert ids == sorted(ids, reverse=True)
    read = cli.json("job", "get", "--job-id", dbt_cloud.jobs["Build"])["data"]
    assert read["name"] == "Build"


def test_runs(cli, dbt_cloud):
    """`run list` filters by status in its own words and reads all pages; `run get` shows one."""
    job = dbt_cloud.jobs["Fail"]
    failed = cli.json("run", "list", "--job-id", job, "--status", "Failed", "--order-by", "id")
    everything = cli.json("run", "list", "--paginate")
    related = ["--include-related", "run_steps", "--include-related", "job"]
    run = cli.json("run", "get", "--run-id", dbt_cloud.runs["error"], *related)["data"]

    assert failed["data"][0]["id"] == dbt_cloud.runs["error"]
    assert len(everything["data"]) == everything["extra"]["pagination"]["total_count"]
    assert run["job"]["id"] == job
    assert run["run_steps"][-1]["status_humanized"] == "Error"


def test_artifacts(cli, dbt_cloud, tmp_path):
    """`run list-artifacts` and `run get-artifact`, which fails where a step wrote none."""
    run_id = dbt_cloud.runs["success"]
    get = ["run", "get-artifact", "--run-id", run_id, "--path", "run_results.json"]
    file = tmp_path / "run_results.json"
    cli(*get, "--step", 4, "--file", file)

    assert "manifest.json" in cli.json("run", "list-artifacts", "--run-id", run_id)["data"]
    assert json.loads(file.read_text())["args"]["which"] == "build"
    assert "404" in cli(*get, "--step", 1, code=1)


def test_wrong_token(cli):
    """A wrong token ends with dbt Cloud's words and exit code 1."""
    assert "Invalid token." in cli("account", "get", "--api-token", "wrong", code=1)


def test_not_implemented(cli):
    """Audit logs are refused with 501, and the endpoint is named."""
    text = cli("audit-log", "get", "--logged-at-start", "2026-01-01", code=1)

    assert "501" in text
    assert "/audit-logs" in text
