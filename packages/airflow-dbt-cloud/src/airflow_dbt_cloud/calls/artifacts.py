"""Fetch what a dbt Cloud run left behind, through the provider's own hook."""

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

from airflow_dbt_cloud.calls.api_errors import MissingError, UnavailableError
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.dbt_commands import command_of, steps_with_results


def fetch_run_results(
    run_id: int,
    hook: DbtCloudHook | None = None,
    *,
    account_id: int | None = None,
    steps: Iterable[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """
    Fetch `run_results.json` of every command of a run that builds or tests, in order.

    A command that failed before it could write one (a compilation error) has none and is left
    out. `steps` are the run's steps, where they are known already. Source: run steps and `?step=`
    of dbt Cloud's Administrative API v2.
    """
    hook = hook or PatientDbtCloudHook(CONNECTION_ID)
    if steps is None:
        run = hook.get_job_run(run_id, account_id, include_related=["run_steps"]).json()["data"]
        steps = run["run_steps"]
    found = (
        fetch_artifact(hook, run_id, "run_results.json", step, account_id)
        for step in steps_with_results(steps)
    )
    return [artifact for artifact in found if artifact is not None]


def fetch_freshness(
    hook: DbtCloudHook, run_id: int, steps: Iterable[Mapping[str, Any]], account_id: int | None
) -> dict[str, Any]:
    """Fetch `sources.json` of the step that looked how fresh the sources are; empty if none did."""
    for step in steps:
        if command_of(step["name"]).looks_at_freshness:
            return fetch_artifact(hook, run_id, "sources.json", step["index"], account_id) or {}
    return {}


def fetch_artifact(
    hook: DbtCloudHook, run_id: int, path: str, step: int | None, account_id: int | None
) -> dict[str, Any] | None:
    """
    Fetch one JSON artifact; None when the step wrote none.

    Raises `DbtCloudApiError`, also for a file that is cut off or is a gateway's page.
    """
    try:
        answer = hook.get_job_run_artifact(run_id, path, account_id, step)
    except MissingError:
        return None
    try:
        artifact = answer.json()
    except ValueError:
        artifact = None
    if not isinstance(artifact, dict):
        raise UnavailableError(f"{path} of run {run_id} is not what dbt writes: no JSON object")
    return artifact
