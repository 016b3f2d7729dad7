"""
Run dbt Cloud jobs from Airflow.

What DAGs use can be imported from here. It is loaded when it is asked for: a process that needs
one trigger does not pay for the operator.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbt_cloud_api.connection_settings import CONNECTION_ID


if TYPE_CHECKING:
    from airflow_dbt_cloud.assets import model_asset
    from airflow_dbt_cloud.failing.notifications import notify_on_failure
    from airflow_dbt_cloud.operator import DbtCloudJobOperator
    from airflow_dbt_cloud.report import report_run
    from airflow_dbt_cloud.task_retry_policy import RETRY_ALL_BUT_DBT_FAILURES
    from airflow_dbt_cloud.watching.job_watch import watch_job
    from airflow_dbt_cloud.watching.newest_run_sensor import DbtCloudNewestRunSensor
    from airflow_dbt_cloud.watching.own_job_watch import watch_own_job

__all__ = [
    "CONNECTION_ID",
    "RETRY_ALL_BUT_DBT_FAILURES",
    "DbtCloudJobOperator",
    "DbtCloudNewestRunSensor",
    "model_asset",
    "notify_on_failure",
    "report_run",
    "watch_job",
    "watch_own_job",
]

HOMES = {
    "RETRY_ALL_BUT_DBT_FAILURES": "task_retry_policy",
    "DbtCloudJobOperator": "operator",
    "DbtCloudNewestRunSensor": "watching.newest_run_sensor",
    "model_asset": "assets",
    "notify_on_failure": "failing.notifications",
    "report_run": "report",
    "watch_job": "watching.job_watch",
    "watch_own_job": "watching.own_job_watch",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
