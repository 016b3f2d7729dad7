"""Look whether somebody is running a job already."""

import logging
from collections.abc import Iterable

from airflow_dbt_cloud import CONNECTION_ID
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from examples.include.flights_jobs import FLIGHTS


log = logging.getLogger(__name__)


def no_run_is_active(job_names: Iterable[str]) -> bool:
    """
    Tell whether no run of these jobs is queued, starting or running, whoever started it.

    A run that starts a moment later is not seen. It does no harm: dbt Cloud runs a job once at a
    time and lets the second one wait. A job that never ran is idle.
    """
    hook = PatientDbtCloudHook(CONNECTION_ID)
    active = [run for name in job_names for run in _active_runs(hook, name)]
    for run in active:
        log.info("Active: run %s of job %s, %s", run["id"], run["job_id"], run["href"])
    return not active


def _active_runs(hook: PatientDbtCloudHook, job_name: str) -> list[dict[str, str]]:
    job = hook.get_job_by_name(job_name=job_name, **FLIGHTS)
    query = {"job_definition_id": job["id"], "status__in": "[1,2,3]", "limit": 10}
    runs: list[dict[str, str]] = hook.get_job_runs(payload=query).json()["data"]
    return runs
