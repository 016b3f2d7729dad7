"""
### Run again what failed

Takes the newest run of a job, whoever started it, and runs again only what failed in it, in one of
two ways: **resume**, dbt Cloud's own rerun from the point of failure, with the steps that were left
too; or **select**, a new run of `dbt build --select` with the failed nodes and what is behind them,
where a cause was mended elsewhere and dbt must plan anew. When that run has not failed, everything
is skipped. After a failure of Airflow's own run there is no need of it: clear the red task.

**When it is red**

- `wait`, `build_selected`: it failed again. The log has the node, whose it is, and what to do.
- `select`: the run failed before any node ran; there is nothing to select. Choose *resume*.
- `resume`: dbt Cloud refused; somebody has started a newer run of the job in the meantime.
"""

from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.sdk import Param, dag, task

from airflow_dbt_cloud import DbtCloudJobOperator
from examples.include.flights_jobs import BUILD_FLIGHTS, BUILD_ONE_MONTH, FLIGHTS
from examples.include.gallery.failed_run import (
    find_failed_run,
    resume_failed_run,
    select_failed_nodes,
)
from examples.include.task_defaults import PROVIDER_RUN_FAILED, TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    params={
        "job": Param(BUILD_FLIGHTS, title="Job", enum=[BUILD_FLIGHTS, BUILD_ONE_MONTH]),
        "way": Param("resume", title="Way", enum=["resume", "select"]),
    },
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_rerun_failed() -> None:
    failed = task(task_id="find_failed_run")(find_failed_run)("{{ params.job }}")

    @task.branch
    def which_way(way: str) -> str:
        return way

    resumed = task(task_id="resume")(resume_failed_run)(failed)
    DbtCloudJobRunSensor(
        task_id="wait", run_id=resumed, deferrable=True, retry_policy=PROVIDER_RUN_FAILED
    )
    steps = task(task_id="select")(select_failed_nodes)(failed)
    DbtCloudJobOperator(
        task_id="build_selected", job_name="{{ params.job }}", **FLIGHTS, steps_override=steps
    )
    failed >> which_way("{{ params.way }}") >> [resumed, steps]


dbt_rerun_failed()
