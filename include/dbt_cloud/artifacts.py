"""Fetch what a dbt Cloud run left behind, through the provider's own hook."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

from include.dbt_cloud import CONNECTION_ID
from include.dbt_cloud.api_errors import MissingError
from include.dbt_cloud.hook import PatientDbtCloudHook


# `dbt docs generate` writes a run_results.json too, in which nothing ran: it would hide the one
# that counts, and it is what dbt Cloud serves when no step is named.
COMMANDS_WITH_RESULTS = re.compile(
    r"Invoke dbt with `dbt (?:build|run|test|seed|snapshot|retry|clone)\b"
)
FRESHNESS = re.compile(r"Invoke dbt with `dbt source freshness\b")


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
        fetch_artifact(hook, run_id, "run_results.json", step["index"], account_id)
        for step in steps
        if COMMANDS_WITH_RESULTS.match(step["name"])
    )
    return [artifact for artifact in found if artifact is not None]


def fetch_freshness(
    hook: DbtCloudHook, run_id: int, steps: Iterable[Mapping[str, Any]], account_id: int | None
) -> dict[str, Any]:
    """Fetch `sources.json` of the step that looked how fresh the sources are; empty if none did."""
    for step in steps:
        if FRESHNESS.match(step["name"]):
            return fetch_artifact(hook, run_id, "sources.json", step["index"], account_id) or {}
    return {}


def fetch_artifact(
    hook: DbtCloudHook, run_id: int, path: str, step: int | None, account_id: int | None
) -> dict[str, Any] | None:
    """Fetch one JSON artifact; None when the step wrote none."""
    try:
        answer = hook.get_job_run_artifact(run_id, path, account_id, step)
    except MissingError:
        return None
    artifact: dict[str, Any] = answer.json()
    return artifact
