"""The provider's operator against faults: what it survives, and what it leaves behind."""

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag


# Airflow itself uses what it calls deprecated.
pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    pytest.mark.filterwarnings("default"),
]
DAGS = Path(__file__).with_name("provider_dags")


@pytest.fixture
def run(monkeypatch):
    """Run a DAG of provider_dags/ and answer how it ended; for DAGs in dags/, it takes one line."""
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    return lambda dag_id: DagBag(DAGS).dags[dag_id].test().state


@pytest.mark.parametrize("dag", ["in_worker", "in_triggerer"])
def test_503_at_the_trigger(dbt_cloud, run, dag):
    """The task fails at once, and nothing was started."""
    dbt_cloud.fail_next(503, method="POST", path="*/run/")

    assert run(dag) == "failed"
    assert dbt_cloud.runs == []


@pytest.mark.parametrize("dag", ["in_worker", "in_triggerer"])
def test_reset_at_the_trigger(dbt_cloud, run, dag):
    """The task fails at once, and nothing was started."""
    dbt_cloud.fail_next("reset", method="POST", path="*/run/")

    assert run(dag) == "failed"
    assert dbt_cloud.runs == []


@pytest.mark.parametrize("dag", ["in_worker", "in_triggerer"])
def test_lost_answer_at_the_trigger(dbt_cloud, run, dag):
    """The task fails, but a run goes on in dbt Cloud that nobody waits for."""
    dbt_cloud.fail_next("lost_answer", method="POST", path="*/run/")

    assert run(dag) == "failed"
    assert len(dbt_cloud.runs) == 1


@pytest.mark.parametrize("dag", ["in_worker_with_retries", "in_triggerer_with_retries"])
def test_retry_limit_runs_the_job_twice(dbt_cloud, run, dag):
    """With `retry_limit` the provider repeats the trigger: green, and two runs."""
    dbt_cloud.fail_next("lost_answer", method="POST", path="*/run/")

    assert run(dag) == "success"
    assert len(dbt_cloud.runs) == 2


@pytest.mark.parametrize(
    ("dag", "state"),
    [
        ("in_worker", "failed"),
        ("in_triggerer", "failed"),
        ("in_worker_with_retries", "failed"),
        ("in_triggerer_with_retries", "success"),
    ],
)
def test_503_while_it_waits(dbt_cloud, run, dag, state):
    """Only the triggerer asks again, and only with `retry_limit`; else a good run looks red."""
    dbt_cloud.take_seconds(3)
    dbt_cloud.fail_next(503, method="GET", path="*/runs/*", after=1)

    assert run(dag) == state


@pytest.mark.parametrize("dag", ["in_worker", "in_triggerer"])
def test_cancelled_in_dbt_cloud(dbt_cloud, run, dag):
    """A run that somebody cancels turns the task red."""
    dbt_cloud.end_next_run_as("cancelled")

    assert run(dag) == "failed"
    assert [each.status for each in dbt_cloud.runs] == ["cancelled"]
