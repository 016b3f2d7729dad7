"""What the page in Airflow's UI shows: the connection, its jobs, its newest runs, one of them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.artifacts import fetch_run_results
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.ui.page import web_address
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.run_picture import Bar, Graph, graph, timeline
from dbt_cloud_api.run_results import RunResults


NEWEST = 10
# Somebody is looking at an empty page meanwhile.
SECONDS_PER_REQUEST = 10


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """The account behind the connection. Jobs and runs are as dbt Cloud's API v2 gives them."""

    host: str
    is_local: bool
    account: dict[str, Any]
    jobs: list[dict[str, Any]]
    runs: list[dict[str, Any]]

    def page_of(self, run: dict[str, Any]) -> str:
        """Where the run is shown; the local dbt Cloud's pages are opened from here."""
        href = str(run["href"])
        return (
            f"open?page={quote(urlsplit(href).path, safe='')}"
            if self.is_local
            else web_address(href)
        )


@dataclass(frozen=True, slots=True)
class RunOverview:
    """One run, drawn. `timeline` is empty and `graph` without boxes while it has no results."""

    run: dict[str, Any]
    timeline: list[Bar]
    graph: Graph


def read_account() -> AccountOverview:
    """
    Read the account, its jobs and its newest runs: three calls, none of which changes anything.

    Raises `DbtCloudApiError` when dbt Cloud refuses or does not answer.
    """
    hook = _hook()
    newest = {"limit": NEWEST, "order_by": "-id", "include_related": "job,trigger"}
    return AccountOverview(
        host=str(hook.connection.host),
        is_local=bool(hook.connection.extra_dejson.get("is_local")),
        account=hook.get_account().json()["data"],
        jobs=[job for page in hook.list_jobs() for job in page.json()["data"]],
        runs=hook.get_job_runs(payload=newest).json()["data"],
    )


def read_run(run_id: int) -> RunOverview:
    """Read one run with its results; a run without results gives an empty picture."""
    hook = _hook()
    run = hook.get_job_run(run_id, include_related=["job", "trigger"]).json()["data"]
    results = RunResults.parse(fetch_run_results(run_id, hook))
    manifest = _manifest(hook, run_id) if results.nodes else {}
    return RunOverview(run, timeline(results, manifest), graph(results, manifest))


def link_to(page: str) -> str:
    """Give the address of a page, and for the local dbt Cloud's one that opens."""
    hook = _hook()
    if hook.connection.extra_dejson.get("is_local"):
        return hook.link_to(page)
    return f"https://{hook.connection.host}{page}"


def _hook() -> PatientDbtCloudHook:
    return PatientDbtCloudHook(CONNECTION_ID, SECONDS_PER_REQUEST, patience=0)


def _manifest(hook: DbtCloudHook, run_id: int) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = hook.get_job_run_artifact(run_id, "manifest.json").json()
    except DbtCloudApiError:
        # Owners and lines are then missing; the timeline is worth showing all the same.
        return {}
    return manifest
