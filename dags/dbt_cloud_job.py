"""
### Run the dbt Cloud job

Triggers the dbt Cloud job that `.env` names, waits for it without holding a worker, and logs every
model and dbt test with its status, rows and seconds.
With no account it is the job **Build flights** of the local dbt Cloud.

**When it is red**

- The log of `report_results` names models or dbt tests:
  dbt did its work and the data or the SQL is at fault.
  The owner of the node fixes it; then clear `run_job`, which starts a new dbt Cloud run.
- `report_results` says that no run was started:
  a token, the network or the job's address.
  The last lines of `run_job`'s log say which; `make up` reads `.env` again.
- Only `report_results` is red, and no node failed: dbt Cloud did not hand over its artifacts.
  Clear `report_results`.

**Monitor Job Run** on the task `run_job` opens the run in dbt Cloud.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.sdk import XComArg, dag, task

from include.dbt_cloud import CONNECTION_ID
from include.dbt_cloud.report import report_run
from include.dbt_cloud.retries import RETRY_ALL_BUT_DBT_FAILURES


@dag(
    schedule=None,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_policy": RETRY_ALL_BUT_DBT_FAILURES,
    },
    tags=["dbt cloud"],
    doc_md=__doc__,
)
def dbt_cloud_job() -> None:
    run_job = DbtCloudRunJobOperator(
        task_id="run_job",
        dbt_cloud_conn_id=CONNECTION_ID,
        job_id="{{ conn.dbt_cloud_default.extra_dejson.job_id }}",  # type: ignore[arg-type] # a template
        trigger_reason=(
            "Airflow: dag {{ dag.dag_id }}, task {{ task.task_id }}, "
            "dag_run {{ run_id }}, try {{ ti.try_number }}"
        ),
        deferrable=True,
        check_interval=1,
        execution_timeout=timedelta(hours=2),
        hook_params={"retry_limit": 3, "timeout_seconds": 30},
    )

    # Also after a failure: its table is then the reason.
    @task(trigger_rule="all_done")
    def report_results(dbt_cloud_run_id: int | None) -> dict[str, Any]:
        return report_run(dbt_cloud_run_id)

    report_results(XComArg(run_job, key="job_run_id"))  # type: ignore[arg-type] # an int at run time


dbt_cloud_job()
