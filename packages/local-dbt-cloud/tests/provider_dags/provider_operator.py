"""The provider's own operator, unmodified, waiting in the worker and in the triggerer."""

from typing import Any

from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.sdk import DAG


def define(dag_id: str, **options: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        DbtCloudRunJobOperator(
            task_id="run_job",
            job_id="{{ conn.dbt_cloud_default.extra_dejson.job_id }}",
            check_interval=1,
            **options,
        )
    return dag


in_worker = define("in_worker")
in_triggerer = define("in_triggerer", deferrable=True)
in_worker_with_retries = define("in_worker_with_retries", hook_params={"retry_limit": 3})
in_triggerer_with_retries = define(
    "in_triggerer_with_retries", deferrable=True, hook_params={"retry_limit": 3}
)
