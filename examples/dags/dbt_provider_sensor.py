"""
### The provider's own operators and sensor

What the provider brings, with nothing of this repository: a run that a worker waits for, a run
left to a sensor in the triggerer, its artifact, the list of jobs, the newest run of a job.

**When it is red**

- `wait`, `run_and_wait`: the dbt Cloud run failed; *Monitor Job Run* opens it. Clear `start`.
- `summarize`: the file that `get_artifact` wrote is not there. The provider writes it to the
  worker's disk, so both tasks must run on one machine.
- anything else: connection or job; the last line of the log has dbt Cloud's answer.
"""

from airflow.providers.dbt.cloud.operators.dbt import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
    DbtCloudRunJobOperator,
)
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.sdk import dag, task

from examples.include.artifact_file import summarize_file
from examples.include.flights_jobs import BUILD_ONE_MONTH, FLIGHTS
from examples.include.task_defaults import PROVIDER_RUN_FAILED, TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    default_args={**TASK_DEFAULTS, "retry_policy": PROVIDER_RUN_FAILED},
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_provider_sensor() -> None:
    because = {"trigger_reason": "Triggered via Apache Airflow: dag_run {{ run_id }}"}
    job = {"job_name": BUILD_ONE_MONTH, **FLIGHTS, **because}
    # Without an interval, a job of a second takes a minute.
    run_and_wait = DbtCloudRunJobOperator(task_id="run_and_wait", **job, check_interval=1)
    start = DbtCloudRunJobOperator(task_id="start", **job, wait_for_termination=False)
    wait = DbtCloudJobRunSensor(
        task_id="wait", run_id=start.output, deferrable=True, poke_interval=1, timeout=3600
    )
    get_artifact = DbtCloudGetJobRunArtifactOperator(
        task_id="get_artifact", run_id=start.output, path="run_results.json"
    )
    list_jobs = DbtCloudListJobsOperator(task_id="list_jobs", order_by="-id")
    newest_run = DbtCloudListJobRunsOperator(
        task_id="newest_run", job_id="{{ ti.xcom_pull('list_jobs')[0] }}", latest_only=True
    )

    run_and_wait >> start >> wait >> get_artifact
    task(task_id="summarize")(summarize_file)(get_artifact.output)
    list_jobs >> newest_run


dbt_provider_sensor()
