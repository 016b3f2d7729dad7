"""A DAG for every operator and sensor of the provider, waiting in the worker and the triggerer."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.dbt.cloud.operators.dbt import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
    DbtCloudRunJobOperator,
)
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.sdk import DAG


FACTS = json.loads(os.environ["SEEDED_DBT_CLOUD"])
JOBS, RUNS = FACTS["jobs"], FACTS["runs"]


def define(dag_id: str, operator: type[Any], **options: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        operator(task_id="task", **options)
    return dag


def run_job(dag_id: str, **options: Any) -> DAG:
    return define(dag_id, DbtCloudRunJobOperator, check_interval=1, **options)


run_in_worker = run_job("run_in_worker", job_id=JOBS["Build"])
run_in_triggerer = run_job("run_in_triggerer", job_id=JOBS["Build"], deferrable=True)
run_by_name = run_job(
    "run_by_name", project_name="Tiny", environment_name="Production", job_name="Build"
)
run_with_everything = run_job(
    "run_with_everything",
    job_id=JOBS["Build"],
    trigger_reason="with everything",
    steps_override=["dbt run", "dbt test"],
    schema_override="elsewhere",
    additional_run_config={"threads_override": 2, "generate_docs_override": False},
)
run_and_leave = run_job("run_and_leave", job_id=JOBS["Build"], wait_for_termination=False)
reuse = run_job("reuse", job_id=JOBS["Hold"], reuse_existing_run=True, wait_for_termination=False)
fail_in_worker = run_job("fail_in_worker", job_id=JOBS["Fail"])
fail_in_triggerer = run_job("fail_in_triggerer", job_id=JOBS["Fail"], deferrable=True)
retried = run_job(
    "retried",
    job_id=JOBS["Fail"],
    retry_from_failure=True,
    retries=1,
    retry_delay=timedelta(seconds=0),
)
timed_out = run_job(
    "timed_out",
    job_id=JOBS["Hold"],
    deferrable=True,
    # The run must have been triggered by then, also on a busy machine.
    execution_timeout=timedelta(seconds=6),
)
sense_in_worker = define(
    "sense_in_worker", DbtCloudJobRunSensor, run_id=RUNS["success"], poke_interval=1
)
sense_in_triggerer = define(
    "sense_in_triggerer",
    DbtCloudJobRunSensor,
    run_id="{{ dag_run.conf['run_id'] }}",
    poke_interval=1,
    deferrable=True,
)
sense_failure = define("sense_failure", DbtCloudJobRunSensor, run_id=RUNS["error"], poke_interval=1)

get_json = define(
    "get_json",
    DbtCloudGetJobRunArtifactOperator,
    run_id=RUNS["success"],
    path="run_results.json",
    step=4,
    output_file_name=str(Path.home() / "fetched/run_results.json"),
)
get_text = define(
    "get_text",
    DbtCloudGetJobRunArtifactOperator,
    run_id=RUNS["success"],
    path="compiled/tiny/models/two.sql",
    output_file_name=str(Path.home() / "fetched/two.sql"),
)
list_jobs = define("list_jobs", DbtCloudListJobsOperator, project_id=FACTS["project"])
list_runs = define(
    "list_runs", DbtCloudListJobRunsOperator, job_id=JOBS["Fail"], status_filter=20, order_by="id"
)

lineage_of_the_operator = run_job(
    "lineage_of_the_operator", job_id=JOBS["Build"], openlineage_inject_parent_job_info=True
)
lineage_of_the_sensor = define(
    "lineage_of_the_sensor", DbtCloudJobRunSensor, run_id=RUNS["success"], poke_interval=1
)
