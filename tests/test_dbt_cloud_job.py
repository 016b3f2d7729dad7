"""The sample DAG in this process, against a dbt Cloud that does as it is told."""

import pytest
from airflow.dag_processing.dagbag import DagBag


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")


def test_a_failed_model_turns_the_dag_red(airflow_database, dbt_cloud):
    """The DAG is red when a model failed, and one dbt Cloud run was started."""
    dbt_cloud.end_next_run_as("error", failed=["stg_flights"])

    assert DagBag("dags").dags["dbt_cloud_job"].test().state == "failed"
    assert [run.status for run in dbt_cloud.runs] == ["error"]


def test_a_lost_answer_starts_no_second_run(airflow_database, dbt_cloud):
    """The run was started and its answer lost: the DAG finds it again, and is green."""
    dbt_cloud.fail_next("lost_answer", method="POST", path="*/run/")

    assert DagBag("dags").dags["dbt_cloud_job"].test().state == "success"
    assert len(dbt_cloud.runs) == 1
