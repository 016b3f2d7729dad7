"""
### How fresh are the sources?

Every three hours, on its own and before anybody builds on old data: runs the job *Check source
freshness* and logs each source with its age and its owner. A source that dbt only warns about
stays a warning and the dag_run green; one past its limit makes it red, names its owner, and is told
to whom `DBT_CLOUD_NOTIFICATION_URLS` of `.env` names.

It is off until somebody switches it on.

**When it is red**

- `report_freshness` names the source and its owner, who looks at the ingestion. Clear `check` once
  the data have come.
- only `check` is red, and no source is too old: dbt or dbt Cloud. The end of its log says which.
"""

from datetime import datetime

from airflow.sdk import dag, task

from airflow_dbt_cloud import DbtCloudJobOperator, notify_on_failure
from examples.include.flights_jobs import CHECK_FRESHNESS, FLIGHTS
from examples.include.gallery.freshness_report import report_freshness
from examples.include.task_defaults import TASK_DEFAULTS


@dag(
    schedule="0 */3 * * *",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 # Airflow takes it as UTC
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def source_freshness() -> None:
    check = DbtCloudJobOperator(
        task_id="check",
        job_name=CHECK_FRESHNESS,
        **FLIGHTS,
        create_if_missing=True,  # from dbt_cloud_jobs.yml, in an account that lacks it
        resume=False,  # always anew: what yesterday's look has found is old
    )
    report = task(
        task_id="report_freshness", trigger_rule="all_done", on_failure_callback=notify_on_failure()
    )(report_freshness)

    check >> report(check.task_id)


source_freshness()
