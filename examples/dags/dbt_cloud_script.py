"""
### A script of your own, on the hook

Three plain Python functions as tasks: start a run, wait for it, report. For whoever must do
something between the calls that no operator does. What it costs beside `DbtCloudJobOperator`: a
worker waits all the time, and a killed task leaves its dbt Cloud run alone.

**When it is red**

- `start`: dbt Cloud refused; the last line of its log has dbt Cloud's own words.
- `wait`: the run failed, and the log has the failed step; or it took longer than an hour and was
  cancelled. Clear `start`, which starts a new run.
- `report`: dbt Cloud did not hand over the artifacts. Clear `report`.
"""

from airflow.sdk import dag, task

from examples.include.flights_jobs import BUILD_ONE_MONTH
from examples.include.gallery.by_hook import report_script_run, start_job, wait_for_run
from examples.include.task_defaults import TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_cloud_script() -> None:
    start = task(task_id="start")(start_job)
    wait = task(task_id="wait")(wait_for_run)
    report = task(task_id="report")(report_script_run)

    report(wait(start(BUILD_ONE_MONTH, {"threads_override": 4})))


dbt_cloud_script()
