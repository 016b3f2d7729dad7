"""Fetch what a dbt Cloud run left behind, through the provider's own hook."""

import re
from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
from airflow.sdk.exceptions import AirflowException

from include.dbt_cloud import CONNECTION_ID


# `dbt docs generate` writes a run_results.json too, in which nothing ran: it would hide the one
# that counts, and it is what dbt Cloud serves when no step is named.
COMMANDS_WITH_RESULTS = re.compile(
    r"Invoke dbt with `dbt (?:build|run|test|seed|snapshot|retry|clone)\b"
)


def fetch_run_results(run_id: int) -> list[dict[str, Any]]:
    """
    Fetch `run_results.json` of every command of a run that builds or tests, in order.

    A command that failed before it could write one (a compilation error) has none and is left
    out. Source: run steps and `?step=` of dbt Cloud's Administrative API v2.
    """
    hook = DbtCloudHook(CONNECTION_ID)
    run = hook.get_job_run(run_id, include_related=["run_steps"]).json()["data"]
    fetched = (
        _run_results_of_step(hook, run_id, step["index"])
        for step in run["run_steps"]
        if COMMANDS_WITH_RESULTS.match(step["name"])
    )
    return [artifact for artifact in fetched if artifact is not None]


def _run_results_of_step(hook: DbtCloudHook, run_id: int, step: int) -> dict[str, Any] | None:
    try:
        answer = hook.get_job_run_artifact(run_id, "run_results.json", step=step)
    except AirflowException as error:
        # The hook keeps nothing of the answer but its text, "404:Not Found".
        if str(error).startswith("404"):
            return None
        raise
    results: dict[str, Any] = answer.json()
    return results
