"""End the run of a task that ends before it, in the middle of whatever the task is doing."""

import logging

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.runs_api import Run, RunsApi
from airflow_dbt_cloud.one_run.one_run import OneRun
from dbt_cloud_api.run_status import RunStatus


# A run may appear a little later than the task was interrupted that was starting it.
PAUSES_UNTIL_LEFT_ALONE = (0.0, 1.0, 2.0, 4.0)


def cancel_run(api: RunsApi, run_id: int, reason: str, log: logging.Logger) -> None:
    """Cancel a run, and say in the log what has become of it."""
    # Said first: Airflow may end the task for good before dbt Cloud has answered.
    log.info("Cancelling dbt Cloud run %s: %s", run_id, reason)
    try:
        run = api.cancel(run_id)
    except DbtCloudApiError as error:
        log.error("dbt Cloud run %s may go on. %s", run_id, error)  # noqa: TRY400 # a traceback says nothing more
        return
    log.info("Cancelled dbt Cloud run %s. The run is %s.", run_id, run["status_humanized"])


def find_left_behind(one_run: OneRun) -> Run | None:
    """
    Find the run that a task was starting, or had just started, when it was interrupted.

    None when it was starting none, when none has appeared, or when it has ended by itself.
    """
    for pause in PAUSES_UNTIL_LEFT_ALONE:
        one_run.sleep(pause)
        try:
            run = one_run.newest()
        except DbtCloudApiError as error:
            one_run.log.error("A dbt Cloud run of this task may go on. %s", error)  # noqa: TRY400 # a traceback says nothing more
            return None
        if run is not None and not RunStatus(run["status"]).is_final:
            return run
        if one_run.memory.current.pending is None:
            return None
    return None
