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
