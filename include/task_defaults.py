"""What the tasks of your DAGs share: owner, time limit, retries, and which failures get them."""

from datetime import timedelta
from typing import Any

from airflow_dbt_cloud import RETRY_ALL_BUT_DBT_FAILURES


TASK_DEFAULTS: dict[str, Any] = {
    "owner": "data-platform",
    "execution_timeout": timedelta(hours=2),
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": RETRY_ALL_BUT_DBT_FAILURES,
}
