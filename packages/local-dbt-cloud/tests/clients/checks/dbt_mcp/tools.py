"""The admin tools of dbt-mcp, called by an MCP client as an assistant would call them."""

import json
from contextlib import asynccontextmanager

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


ADMIN_TOOLS = {
    "list_projects",
    "list_jobs",
    "get_job_details",
    "trigger_job_run",
    "list_jobs_runs",
    "get_job_run_details",
    "cancel_job_run",
    "retry_job_run",
    "list_job_run_artifacts",
    "get_job_run_artifacts",
    "get_job_run_error",
}


class Assistant:
    """An MCP client in a thread of its own, so that checks can be plain functions."""

    def __init__(self, portal, session):
        self.portal, self.session = portal, session

    def names(self):
        return {tool.name for tool in self.portal.call(self.session.list_tools).tools}

    def call(self, tool, **arguments):
        """The tool's answer: what it says as JSON, or its text."""
        answer = self.portal.call(self.session.call_tool, tool, arguments)
        texts = [each.text for each in answer.content]
        assert not answer.isError, texts
        if answer.structuredContent is not None:
            content = answer.structuredContent
            return content["result"] if set(content) == {"result"} else content
        return json.loads(texts[0])

    def refusal(self, tool, **arguments):
        answer = self.portal.call(self.session.call_tool, tool, arguments)
        assert answer.isError, answer
        return answer.content[0].text


@asynccontextmanager
async def connect(parameters):
    async with (
        stdio_client(parameters) as (reader, writer),
        ClientSession(reader, writer) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture(scope="module")
def assistant(dbt_cloud):
    """dbt-mcp as a process of its own, and a client that talks to it."""
    import os

    process_env = {
        "DBT_HOST": dbt_cloud.host,
        "DBT_TOKEN": dbt_cloud.token,
        "DBT_ACCOUNT_ID": str(dbt_cloud.account),
        "DBT_PROD_ENV_ID": str(dbt_cloud.environment),
        "DO_NOT_TRACK": "1",
        **{f"DISABLE_{name}": "true" for name in ("DBT_CLI", "SEMANTIC_LAYER", "DISCOVERY")},
        **{f"DISABLE_{name}": "true" for name in ("REMOTE", "SQL", "LSP", "PRODUCT_DOCS")},
    }
    parameters = StdioServerParameters(command="dbt-mcp", env=os.environ | process_env)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(connect(parameters)) as session,
    ):
        yield Assistant(portal, session)


def test_tools_are_offered(assistant):
    """Every admin tool is there: dbt-mcp has accepted host, token and account."""
    assert assistant.names() >= ADMIN_TOOLS


def test_projects(assistant, dbt_cloud):
    """The projects, with their environments and repository."""
    projects = assistant.call("list_projects")["result"]
    tiny = next(each for each in projects if each["id"] == dbt_cloud.project)

    assert {"id": dbt_cloud.environment, "name": "Production", "type": "production"} in (
        tiny["environments"]
    )
    assert tiny["repository_full_name"]


def test_jobs(assistant, dbt_cloud):
    """The jobs with their newest runs, and one with everything."""
    jobs = assistant.call("list_jobs", limit=100)["result"]
    build = next(each for each in jobs if each["id"] == dbt_cloud.jobs["Build"])

    assert build["most_recent_run_id"]
    assert build["most_recent_completed_run_status"]
    details = assistant.call("get_job_details", job_id=dbt_cloud.jobs["Build"])
    assert details["execute_steps"] == ["dbt build --exclude broken"]


def test_runs(assistant, dbt_cloud):
    """Runs by job and status, in pages, and one with its steps."""
    job, run_id = dbt_cloud.jobs["Fail"], dbt_cloud.runs["error"]
    failed = assistant.call("list_jobs_runs", job_id=job, status="error", order_by="id", limit=1)
    details = assistant.call("get_job_run_details", run_id=run_id)

    assert [run["id"] for run in failed["result"]] == [run_id]
    assert failed["result"][0]["job_name"] == "Fail"
    assert details["run_steps"][-1]["status_humanized"] == "Error"


def test_trigger_cancel_and_retry(assistant, dbt_cloud, held_run):
    """A run is triggered, one in progress cancelled, and a failed one retried."""
    cancelled = assistant.call("cancel_job_run", run_id=held_run)
    dbt_cloud.hold(None)
    dbt_cloud.next_run_ends("error", "Fail")
    triggered = assistant.call(
        "trigger_job_run", job_id=dbt_cloud.jobs["Fail"], cause="asked", steps_override=["dbt run"]
    )
    failed = dbt_cloud.finish(triggered["id"])
    retried = assistant.call("retry_job_run", run_id=triggered["id"])

    assert cancelled["status"] == 30
    assert failed["trigger"]["steps_override"] == ["dbt run"]
    assert retried["retrying_run_id"] == triggered["id"]
    assert dbt_cloud.finish(retried["id"])["is_success"]


def test_artifacts(assistant, dbt_cloud):
    """Artifacts are listed, read, and searched with a jq filter."""
    run_id = dbt_cloud.runs["success"]
    paths = assistant.call("list_job_run_artifacts", run_id=run_id)
    names = assistant.call(
        "get_job_run_artifacts",
        run_id=run_id,
        artifact_path="manifest.json",
        jq_filter=".nodes | keys",
    )

    assert "run_results.json" in paths
    assert "model.tiny.two" in names


def test_error_of_a_run(assistant, dbt_cloud):
    """The tool that looks for the reason of a failure finds the step, the node and dbt's words."""
    found = assistant.call("get_job_run_error", run_id=dbt_cloud.runs["error"])
    text = json.dumps(found)

    assert "dbt build --select broken" in text
    assert "division by zero" in text


def test_warnings_of_a_run(assistant, dbt_cloud):
    """A run without warnings has none."""
    found = assistant.call("get_job_run_error", run_id=dbt_cloud.runs["success"], warning_only=True)

    assert found["has_warnings"] is False


def test_unknown_run(assistant):
    """An unknown run is an error that names the status 404."""
    assert "404" in assistant.refusal("get_job_run_details", run_id=1)
