"""The pytest plugin."""
import time, asyncio
from airflow.dag_processing.dagbag import DagBag
import pytest

@pytest.mark.filterwarnings("default")
def test_a(airflow_database, dbt_cloud):
    dbt_cloud.end_next_run_as("error", failed=["daily_delays_by_carrier"])
    dag_run = DagBag("dags").dags["dbt_cloud_job"].test()
    assert dag_run.state == "failed"
    assert dbt_cloud.runs[0].status=="error"
    print(dbt_cloud.runs[0].message)
    print(dbt_cloud.requests)

