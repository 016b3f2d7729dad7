"""Where the shell scripts are that DAGs run: one path in every way to run Airflow."""

from pathlib import Path


RUN_DBT_CLOUD_JOB = Path(__file__).with_name("run_dbt_cloud_job.sh")
