"""End the tasks that wait for a dbt Cloud run, before Airflow stops and can no longer do it."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.run_status import FINAL
from dbt_cloud_api.user_error import UserError
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError


OPERATOR = "DbtCloudJobOperator"
WAITING = ("running", "deferred")
# A worker hears of it at its next heartbeat, and on a busy machine it takes its time.
SECONDS_TO_END = 30


def end_dbt_cloud_tasks(api: AirflowApi, dbt_cloud: Callable[[], DbtCloudApi]) -> Iterator[str]:
    """
    Mark each such task failed, as a person would, which ends its run; tell of each run's end.

    Without this a run would go on in dbt Cloud, and cost money, with nobody to wait for it.
    """
    tasks = api.get("/api/v2/dags/~/dagRuns/~/taskInstances", state=WAITING, limit=100)
    ours = [task for task in tasks["task_instances"] if task["operator"] == OPERATOR]
    told = []
    for task in ours:
        # A task that Airflow refuses to end must not keep the others from being ended.
        try:
            api.patch(_path(task), {"new_state": "failed"})
        except AirflowApiError as error:
            yield f"could not end {_name(task)}: Airflow answered {error.status}, {error.detail}"
        else:
            told.append(task)
    deadline = time.monotonic() + SECONDS_TO_END
    for task in told:
        run_id = _run_id(api, task)
        name = _name(task)
        if run_id is None:
            yield f"ended {name}, which had no dbt Cloud run yet"
            continue
        run = _wait_for_end(dbt_cloud, run_id, deadline)
        yield f"ended {name}; its dbt Cloud run {run_id} is {run.get('status_humanized')}"


def _wait_for_end(
    dbt_cloud: Callable[[], DbtCloudApi], run_id: int, deadline: float
) -> dict[str, Any]:
    while True:
        try:
            run = dbt_cloud().run(run_id)
        except UserError as error:
            return {"status_humanized": f"unknown: {error.problem}"}
        if run["status"] in FINAL or time.monotonic() > deadline:
            return run
        time.sleep(0.2)


def _run_id(api: AirflowApi, task: dict[str, Any]) -> int | None:
    try:
        path = f"{_path(task)}/xcomEntries/job_run_id"
        entry = api.get(path, map_index=task["map_index"], deserialize=True)
    except AirflowApiError:
        return None
    return int(entry["value"])


def _name(task: dict[str, Any]) -> str:
    return f"{task['dag_id']}.{task['task_id']}"


def _path(task: dict[str, Any]) -> str:
    dag_run_id = quote(task["dag_run_id"], safe="")
    path = f"/api/v2/dags/{quote(task['dag_id'])}/dagRuns/{dag_run_id}"
    return f"{path}/taskInstances/{quote(task['task_id'])}"
