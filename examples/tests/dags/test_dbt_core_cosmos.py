"""`dbt_core_cosmos`: real dbt, started by Airflow, a task per model."""

import gc
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import examples.include.dbt_core
from examples.include.dbt_core import GRAPH, PROJECT
from examples.include.dbt_core.graph import graph_of


pytestmark = [
    # Airflow itself uses what it calls deprecated.
    pytest.mark.filterwarnings("default"),
    # Cosmos leaves the pipes of its child processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[3]
DBT = ROOT / ".local/dbt/bin/dbt"
PLANES = "flights.stg_planes_model_build"


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


def test_green(load_dag, warehouse_connection, run_to_its_end):
    """A mart and what it reads are built by a dbt process each, in a schema of their own."""
    mart = "flights.daily_delays_by_carrier_model_build"
    dag = load_dag("dbt_core_cosmos").partial_subset(task_ids={mart}, include_upstream=True)

    ended = run_to_its_end(dag)

    built = warehouse_connection.rows(
        "select table_name from information_schema.tables where table_schema = 'dbt_core'"
    )
    assert set(ended.tasks.values()) == {"success"}
    assert {name for (name,) in built} == {
        "daily_delays_by_carrier",
        "stg_airlines",
        "stg_flights",
    }


def test_red(load_dag, warehouse_connection, project, run_to_its_end):
    """A broken model turns its own task red; the log of that task is dbt's own."""
    (model,) = project.rglob("stg_planes.sql")
    model.write_text("select no_such_column from {{ source('raw', 'planes') }}\n")
    dag = load_dag("dbt_core_cosmos").partial_subset(task_ids={PLANES})
    # Another try would break at the same line, half a minute later.
    dag.get_task(PLANES).retries = 0

    ended = run_to_its_end(dag)

    assert (ended.state, ended.tasks) == ("failed", {PLANES: "failed"})


def test_the_graph_is_that_of_the_project(tmp_path, warehouse):
    """What the DAG is drawn from is what dbt says of the project today; else: make graph."""
    options = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    options += ["--target-path", tmp_path, "--log-path", tmp_path]
    subprocess.run(
        [DBT, "--quiet", "parse", *options], check=True, env=warehouse.environment(), timeout=120
    )

    manifest = json.loads((tmp_path / "manifest.json").read_text())

    assert graph_of(manifest) == json.loads(GRAPH.read_text())
