"""
### dbt Cloud with BashOperator and cURL

For whoever has a shell and nothing else: `examples/include/run_dbt_cloud_job.sh` starts a job by
its name, waits for it, and ends with the exit code that the run deserves. The token reaches cURL
through a pipe, never its command line, where everybody on the machine could read it. A killed task
cancels its run. A retry or Clear starts a new run, whatever became of the last one.

**When it is red**

- `run_job`: exit code 1, the run failed, and the last lines say what dbt Cloud says of it; 2, dbt
  Cloud did not start it; any other is cURL's (6, 7: no connection; 22: refused; 47: sent
  elsewhere; 60: certificate).
- `report_results`: dbt Cloud did not hand over the artifacts. Clear it.
"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task

from examples.include.flights_jobs import BUILD_ONE_MONTH
from examples.include.gallery.by_hook import report_shell_run
from examples.include.shell_scripts import RUN_DBT_CLOUD_JOB
from examples.include.task_defaults import SHELL_COMMAND_FAILED, TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_cloud_curl() -> None:
    run_job = BashOperator(
        task_id="run_job",
        bash_command=f"exec {RUN_DBT_CLOUD_JOB} ",  # a .sh at the end would be read as a template
        retry_policy=SHELL_COMMAND_FAILED,
        env={
            "DBT_CLOUD_HOST": "{{ conn.dbt_cloud_default.host }}",
            "DBT_CLOUD_ACCOUNT_ID": "{{ conn.dbt_cloud_default.login }}",
            "DBT_CLOUD_TOKEN": "{{ conn.dbt_cloud_default.password }}",
            "JOB_NAME": BUILD_ONE_MONTH,
            "CAUSE": "Triggered via Apache Airflow: {{ dag.dag_id }}, dag_run {{ run_id }}",
            "SECONDS_TO_WAIT": "3600",
        },
        append_env=True,  # PATH, and the certificates to trust
        execution_timeout=timedelta(hours=2),
    )
    report_results = task(task_id="report_results")(report_shell_run)

    report_results(run_job.output)


dbt_cloud_curl()
