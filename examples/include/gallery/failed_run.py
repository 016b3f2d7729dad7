"""Run again what failed in the newest run of a job, whoever started that run."""

import logging
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_dbt_cloud import CONNECTION_ID
from airflow_dbt_cloud.calls.artifacts import fetch_run_results
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from dbt_cloud_api.run_results import RunResults
from dbt_cloud_api.run_status import RunStatus
from examples.include.flights_jobs import FLIGHTS
from examples.include.rerun_selector import NothingFailedError, selector_of


log = logging.getLogger(__name__)


def find_failed_run(job_name: str) -> dict[str, Any]:
    """Find the newest run of a job; skip the rest when it has not failed."""
    hook = PatientDbtCloudHook(CONNECTION_ID)
    job_id = hook.get_job_by_name(job_name=job_name, **FLIGHTS)["id"]
    query = {"job_definition_id": job_id, "order_by": "-id", "limit": 1}
    runs = hook.get_job_runs(payload=query).json()["data"]
    if not runs or RunStatus(runs[0]["status"]) is not RunStatus.ERROR:
        newest = f"its newest run is {runs[0]['status_humanized']}" if runs else "it never ran"
        raise AirflowSkipException(f"Nothing to run again of {job_name}: {newest}.")
    return {"job_id": job_id, "run_id": runs[0]["id"]}


def resume_failed_run(failed: dict[str, Any]) -> int:
    """Let dbt Cloud go on where the run failed: its own way, `dbt retry`."""
    answer = PatientDbtCloudHook(CONNECTION_ID).retry_failed_job_run(failed["job_id"])
    run = answer.json()["data"]
    log.info("Run %s goes on where run %s failed: %s", run["id"], failed["run_id"], run["href"])
    return int(run["id"])


def select_failed_nodes(failed: dict[str, Any]) -> list[str]:
    """Give the steps of a run that builds what failed, and what is behind it."""
    results = RunResults.parse(fetch_run_results(failed["run_id"]))
    try:
        return [f"dbt build --select {selector_of(results)}"]
    except NothingFailedError as error:
        msg = f"Run {failed['run_id']} failed before any node ran. {error}"
        raise AirflowFailException(msg) from error
