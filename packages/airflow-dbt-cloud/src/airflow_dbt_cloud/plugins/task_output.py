"""
Keep what tasks print out of the scheduler's own log.

Only where AIRFLOW__DBT_CLOUD__COPY_TASK_OUTPUT=False says so; else Airflow stays as it is.

LocalExecutor writes every line of a task to the task's log, which masks secrets, and copies it to
the scheduler's standard output, which does not know them: a password that a task prints would stand
in clear in scheduler.log, or in `docker logs`. Airflow has no setting for the copy.
"""

from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.execution_time.callback_supervisor import CallbackSubprocess
from airflow.sdk.execution_time.supervisor import ActivitySubprocess


def stop_copying() -> None:
    """In this process and its forks, which run the tasks of LocalExecutor."""
    never = property(lambda _: False, lambda _, __: None)
    for supervisor in (ActivitySubprocess, CallbackSubprocess):
        copies: Any = supervisor
        copies.subprocess_logs_to_stdout = never


if not conf.getboolean("dbt_cloud", "copy_task_output", fallback=True):
    stop_copying()


class DbtCloudTaskOutputPlugin(AirflowPlugin):
    name = "dbt_cloud_task_output"
