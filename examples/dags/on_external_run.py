"""
### When somebody else's run has ended

Starts when a run of the job of `.env` has ended that Airflow did not start: dbt Cloud's own
schedule, a person, CI. A run is told once, also over a restart; several that end together are one
dag_run, a task each. It is off until somebody switches it on, and looks every ten seconds.

By hand it reports the run whose number is typed into the form; without one it has nothing to do.

**When it is red**

- `report_run`: that run failed, and the log has the models and dbt tests. Whoever started it will
  want to know; there is nothing to clear, because a run that is mended is a new run.
- no dag_run comes: the triggerer watches, and its log says what dbt Cloud answers.
"""

from airflow.sdk import Asset, Param, dag, task

from airflow_dbt_cloud import watch_own_job
from airflow_dbt_cloud.watching.own_job_watch import runs_to_report
from examples.include.gallery.by_hook import report_script_run
from examples.include.task_defaults import TASK_DEFAULTS


RUN_ENDED = Asset("dbt_cloud_job_ended_elsewhere", watchers=[watch_own_job("own_job")])


@dag(
    schedule=RUN_ENDED,
    is_paused_upon_creation=True,
    params={"run": Param(None, title="Run", type=["null", "integer"])},
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def on_external_run() -> None:
    runs = task(task_id="runs_to_report")(runs_to_report)
    report = task(task_id="report_run")(report_script_run)

    report.expand(dbt_cloud_run_id=runs())


on_external_run()
