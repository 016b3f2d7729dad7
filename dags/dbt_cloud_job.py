"""
### Run the dbt Cloud job

Triggers the dbt Cloud job that `.env` names, waits for it without holding a worker, and logs every
model and dbt test with its status, rows and seconds.
With no account it is the job **Build flights** of the local dbt Cloud.

**When it is red**, the last lines of `run_job`'s log say which side is at fault, and what to do.

- *dbt node*: the named owner mends the model or dbt test; then clear `run_job`, which resumes the
  dbt Cloud run at the node that failed.
- *dbt project*: dbt stopped before the first node; mend the line it names, then clear `run_job`.
- *credentials*, *network*: mend `.env` or the way to dbt Cloud; `make up` reads `.env` again.
- Only `report_results` is red, and no node failed: dbt Cloud did not hand over its artifacts.
  Clear `report_results`.

**Monitor Job Run** on the task `run_job` opens the run in dbt Cloud.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import XComArg, dag, task

from airflow_dbt_cloud import CONNECTION_ID, DbtCloudJobOperator, notify_on_failure, report_run
from include.task_defaults import TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud"],
    doc_md=__doc__,
)
def dbt_cloud_job() -> None:
    run_job = DbtCloudJobOperator(
        task_id="run_job",
        dbt_cloud_conn_id=CONNECTION_ID,
        job_id="{{ conn.dbt_cloud_default.extra_dejson.job_id }}",
        log_interval=5,
        model_assets=True,
        on_failure_callback=notify_on_failure(),
        execution_timeout=timedelta(hours=2),
    )

    # Also after a failure: its table is then the reason.
    @task(trigger_rule="all_done")
    def report_results(dbt_cloud_run_id: int | None) -> dict[str, Any]:
        return report_run(dbt_cloud_run_id)

    report_results(XComArg(run_job, key="job_run_id"))


dbt_cloud_job()
