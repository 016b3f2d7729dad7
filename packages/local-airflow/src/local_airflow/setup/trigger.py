"""Say what would be started, start it on yes, and follow it to its end."""

import time
from collections.abc import Callable
from typing import Any

from dbt_cloud_api.client import DbtCloudApi, DbtCloudSilentError
from dbt_cloud_api.job_model import ticked_steps
from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.user_error import UserError
from local_airflow.base.progress_line import ProgressLine
from local_airflow.running.run_progress import describe_run
from local_airflow.setup.account import ChosenJob


SECONDS_BETWEEN_LOOKS = 2
CAUSE = "Triggered by make setup, on somebody's yes"


def describe(chosen: ChosenJob) -> list[tuple[str, str]]:
    job = chosen.job
    commands = "; ".join([*job.get("execute_steps", ()), *ticked_steps(job)])
    return [
        ("job", f"{job['name']} ({job['id']})"),
        ("where", f"{chosen.environment}, {chosen.project}, account {chosen.account}"),
        ("commands", commands or "none"),
    ]


def trigger_and_follow(
    api: DbtCloudApi,
    chosen: ChosenJob,
    write: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Give 0 when the run succeeds. Ctrl-C only stops looking; the run goes on."""
    run = _trigger(api, chosen)
    write(f"run {run['id']}: {run['href']}")
    status = ""
    with ProgressLine(f"run {run['id']}") as below:
        while not run["is_complete"]:
            sleep(SECONDS_BETWEEN_LOOKS)
            run = api.run(run["id"])
            below.detail = describe_run(run)
            if run["status_humanized"] != status:
                status = run["status_humanized"]
                below.say(f"  {status}")
    if run["status_message"]:
        write(f"  {run['status_message']}")
    return 0 if run["status"] == RunStatus.SUCCESS else 1


def _trigger(api: DbtCloudApi, chosen: ChosenJob) -> dict[str, Any]:
    try:
        return api.trigger(int(chosen.job["id"]), CAUSE)
    except DbtCloudSilentError as lost:
        raise UserError(
            "nobody knows whether the run was started",
            f"{lost.cause} The answer to the start was lost, so it is not sent again.",
            (f"Look at the job's page first:   {chosen.address.job_url()}",),
        ) from None
