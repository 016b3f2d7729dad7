"""`dbt_core_cosmos`: real dbt, started by Airflow, a task per model."""

import gc
import json
import shutil
from pathlib import Path

import pytest

import examples.include.dbt_core
from examples.include.dbt_core import GRAPH, PROJECT


pytestmark = [
    # Airflow itself uses what it calls deprecated.
    pytest.mark.filterwarnings("default"),
    # Cosmos leaves the pipes of its child processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[3]
DBT = ROOT / ".local/dbt/bin/dbt"
PLANES, AIRLINES = "flights.stg_planes_model_build", "flights.stg_airlines_model_build"


@pytest.fixture(autouse=True)
def pipes_of_cosmos():
    """Collect what Cosmos left open here, or the complaint would be about another test."""
    yield
    gc.collect()


@pytest.fixture
def warehouse_connection(monkeypatch, flights_in_warehouse):
    """What the mode tells the DAG: the dbt of its own environment, and the warehouse."""
    here = flights_in_warehouse
    address = f"{here.user}:{here.password}@{here.host}:{here.port}/{here.database}"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"postgres://{address}")
    monkeypatch.setenv("DBT_EXECUTABLE", str(DBT))
    return here


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A copy of the dbt project that may be broken."""
    copy = shutil.copytree(PROJECT, tmp_path / "dbt_project")
    monkeypatch.setattr(examples.include.dbt_core, "PROJECT", copy)
    return copy


def models():
    nodes = json.loads(GRAPH.read_text())["nodes"]
    return {name.rsplit(".", 1)[1] for name in nodes if name.startswith("model.")}


def test_a_task_for_each_model(load_dag):
    """Each model has a task, its owner is the model's, and it waits for what the model reads."""
    dag = load_dag("dbt_core_cosmos")

    task = dag.get_task("flights.daily_delays_by_carrier_model_build")
    assert set(dag.task_ids) == {f"flights.{name}_model_build" for name in models()}
    assert task.owner == "Flight operations"
    assert task.upstream_task_ids == {
        "flights.stg_airlines_model_build",
        "flights.stg_flights_model_build",
    }


def test_each_model_by_itself(load_dag, warehouse_connection, project, run_to_its_end):
    """Each model is built by a dbt process of its own; a broken one turns its own task red only."""
    (model,) = project.rglob("stg_planes.sql")
    model.write_text("select no_such_column from {{ source('raw', 'planes') }}\n")
    dag = load_dag("dbt_core_cosmos").partial_subset(task_ids={PLANES, AIRLINES})
    # Another try would break at the same line, half a minute later.
    dag.get_task(PLANES).retries = 0

    ended = run_to_its_end(dag)

    built = warehouse_connection.rows(
        "select table_name from information_schema.tables where table_schema = 'dbt_core'"
    )
    assert (ended.state, ended.tasks) == ("failed", {PLANES: "failed", AIRLINES: "success"})
    assert built == [("stg_airlines",)]
