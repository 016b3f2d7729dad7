"""How far a dbt Cloud run is, in a few words, for somebody who waits for it."""

from typing import Any

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.dbt_commands import command_of
from dbt_cloud_api.user_error import UserError
from local_airflow.running.dag_run import DagRun
from local_airflow.running.proof import xcoms


def describe_run(run: dict[str, Any]) -> str:
    """Name the step that a run is at, such as `dbt build`; its status where there is none."""
    begun = [step for step in run["run_steps"] if step["started_at"]]
    if run["is_complete"] or not begun:
        return str(run["status_humanized"])
    name = str(begun[-1]["name"])
    return command_of(name).text or name


def describe_runs(dag_run: DagRun, dbt_cloud: DbtCloudApi) -> str:
    """Describe each run of a dag_run that has not ended; nothing where nobody answers."""
    try:
        runs = [dbt_cloud.run(run_id) for run_id in xcoms(dag_run, "job_run_id")]
    except UserError:
        return ""
    going_on = [run for run in runs if not run["is_complete"]]
    return ", ".join(f"run {run['id']}: {describe_run(run)}" for run in going_on)
