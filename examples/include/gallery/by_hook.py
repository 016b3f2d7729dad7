"""
Run a job with nothing but the hook, as a script would: start, look, look again, fetch.

What it lacks beside `DbtCloudJobOperator`: a worker waits all the time, a killed task leaves its
run alone, and a run whose start was not answered has to be looked for by a person.
"""

import logging
import time
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from airflow_dbt_cloud import CONNECTION_ID, report_run
from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from dbt_cloud_api.run_status import RunStatus
from examples.include.flights_jobs import FLIGHTS


log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0


class RunNotSuccessfulError(AirflowFailException):
    """The run has ended otherwise than with success, or not in time: no retry changes that."""


def start_job(job_name: str, overrides: dict[str, Any]) -> int:
    """Start a run of a job, and give its number."""
    hook = PatientDbtCloudHook(CONNECTION_ID)
    ti = get_current_context()["ti"]
    job = hook.get_job_by_name(job_name=job_name, **FLIGHTS)
    # As the provider begins: who watches for other people's runs knows this one by it.
    cause = f"Triggered via Apache Airflow: {ti.dag_id}.{ti.task_id}, dag_run {ti.run_id}"
    try:
        answer = hook.trigger_job_run(job["id"], cause, additional_run_config=overrides)
    except DbtCloudApiError as error:
        if not error.may_have_acted:
            raise
        # Another try could be a second run beside the first.
        msg = f"{error}. dbt Cloud may have started a run: look there before you clear this task."
        raise AirflowFailException(msg) from error
    run = answer.json()["data"]
    log.info("Run %s: %s", run["id"], run["href"])
    ti.xcom_push(key="job_run_id", value=run["id"])
    return int(run["id"])


def wait_for_run(dbt_cloud_run_id: int, seconds: float = 3600) -> int:
    """Wait until a run has succeeded; cancel it, and fail, when it has not ended in time."""
    hook = PatientDbtCloudHook(CONNECTION_ID)
    deadline = time.monotonic() + seconds
    while True:
        run = hook.get_job_run(dbt_cloud_run_id).json()["data"]
        status = RunStatus(run["status"])
        if status is RunStatus.SUCCESS:
            return dbt_cloud_run_id
        if status.is_final:
            hook.log_job_run_failure_details(dbt_cloud_run_id)
            raise RunNotSuccessfulError(
                f"Run {dbt_cloud_run_id} is {run['status_humanized']}: {run['href']}"
            )
        if time.monotonic() > deadline:
            hook.cancel_job_run(dbt_cloud_run_id)
            raise RunNotSuccessfulError(
                f"Run {dbt_cloud_run_id} took longer than {seconds:.0f} s; cancelled."
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)


def report_script_run(dbt_cloud_run_id: int) -> dict[str, Any]:
    """Report the run that `start_job` has started."""
    return report_run(dbt_cloud_run_id)


def report_shell_run(last_line: str) -> dict[str, Any]:
    """Report the run whose number a shell command has printed in its last line."""
    run_id = int(last_line)
    get_current_context()["ti"].xcom_push(key="job_run_id", value=run_id)
    return report_run(run_id)
