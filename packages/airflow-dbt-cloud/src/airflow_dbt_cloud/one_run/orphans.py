"""
End a run whose task a person has ended at a moment when no process had the task.

That is between the worker, which triggered the run, and the triggerer, which waits for it; or for
as long as there is no triggerer. Where a process has the task, it has ended the run already.
"""

import logging
from typing import Any

from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.one_run.one_run import OneRun, RunRequest
from airflow_dbt_cloud.one_run.task_memory import TaskMemory
from dbt_cloud_api.run_status import RunStatus


log = logging.getLogger(__name__)


def end_if_active(remembered: dict[str, Any], identity: tuple[str, ...]) -> int | None:
    """
    Cancel the newest run that a task remembers, if it still goes on; answer which.

    Raises `DbtCloudApiError` when dbt Cloud does not answer.
    """
    memory = TaskMemory.recall(remembered, identity)
    place = memory.place
    api = HookRunsApi(PatientDbtCloudHook(place.conn_id), place.account_id)
    request = RunRequest(place.job_id, {}, resume=False)
    run = OneRun(api, memory, request, cause="", log=log).newest()
    if run is None or RunStatus(run["status"]).is_final:
        return None
    api.cancel(run["id"])
    return int(run["id"])
