"""`flight_delays`, all of it real: files, warehouse, dbt, scikit-learn."""

import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from airflow.sdk import timezone
from airflow.serialization.serialized_objects import DagSerialization

from examples.include.flight_delays.published_models import published
from examples.include.flight_delays.tasks import month_of
from local_dbt_cloud.testing.test_client import start_dbt_cloud


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[3]
JANUARY, FEBRUARY = 27004, 24951


@pytest.fixture(scope="module")
def dbt_cloud_server(flights_in_warehouse):
    """A local dbt Cloud whose runs are real."""
    real = {"LOCAL_DBT_CLOUD_RUNS": "real", **flights_in_warehouse.environment()}
    dbt_cloud = start_dbt_cloud(ROOT / "dbt_cloud_jobs.yml", real)
    yield dbt_cloud
    dbt_cloud.server.stop()
    # Tests of other folders share the warehouse and count on January alone.
    with flights_in_warehouse.connect() as warehouse:
        warehouse.execute("delete from raw.flights where month <> 1")
        warehouse.execute("delete from raw.weather where month <> 1")
        warehouse.execute("drop schema if exists analytics, ml cascade")


@pytest.fixture
def machine(monkeypatch, flights_in_warehouse):
    """What the mode tells the DAG: where the warehouse, the files and scikit-learn are."""
    here = flights_in_warehouse
    address = f"{here.user}:{here.password}@{here.host}:{here.port}/{here.database}"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"postgres://{address}")
    source = (ROOT / "examples/loader/data").as_uri()
    monkeypatch.setenv("AIRFLOW_VAR_FLIGHTS_SOURCE", source)
    monkeypatch.setenv("AIRFLOW_VAR_TRAINING_PYTHON", str(ROOT / ".local/training/bin/python"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return here


def flights_by_month(warehouse):
    return dict(warehouse.rows("select month, count(*) from raw.flights group by month"))


def test_green(run_dag, dbt_cloud, machine):
    """One month goes all the way: loaded, built by dbt, learned from, published with a chart."""
    ended = run_dag("flight_delays", month="2013-02")

    assert ended.state == "success"
    assert flights_by_month(machine) == {1: JANUARY, 2: FEBRUARY}
    (built,) = machine.rows(
        "select sum(count_flights) from analytics.monthly_flights where flight_month = '2013-02-01'"
    )
    assert built == (FEBRUARY,)
    metrics = ended.result("publish")
    assert metrics["month"] == "2013-02"
    assert 0 < metrics["error_minutes"] < metrics["error_minutes_of_always_the_same"]
    with machine.connect() as warehouse:
        (model,) = published(warehouse)
    assert model.metrics == metrics
    assert ET.fromstring(model.chart.encode()).tag.endswith("svg")  # noqa: S314 # our own text


def test_a_month_done_again_is_there_once(run_dag, dbt_cloud, machine):
    """Loading January, which is there, once more leaves each of its flights once."""
    # What comes after the load is not the question here.
    dbt_cloud.end_next_run_as("error")

    run_dag("flight_delays", month="2013-01")

    assert flights_by_month(machine)[1] == JANUARY


def test_red_without_files(run_dag, dbt_cloud, machine, monkeypatch, tmp_path):
    """When the source has no such month, nothing is deleted and dbt is not started."""
    before = flights_by_month(machine)
    monkeypatch.setenv("AIRFLOW_VAR_FLIGHTS_SOURCE", tmp_path.as_uri())

    ended = run_dag("flight_delays", month="2013-01")

    assert (ended.state, ended.tasks["extract"]) == ("failed", "failed")
    assert dbt_cloud.runs == []
    assert flights_by_month(machine) == before


def test_red_when_dbt_fails(run_dag, dbt_cloud, machine):
    """When dbt fails, nothing is trained on what it left."""
    dbt_cloud.end_next_run_as("error", failed=["stg_flights"])

    ended = run_dag("flight_delays")

    assert ended.tasks["transform"] == "failed"
    assert ended.tasks["train"] == "upstream_failed"


def test_red_without_raw_tables(run_dag, dbt_cloud, machine, monkeypatch):
    """In a warehouse without schema raw, the task that loads says how to make it."""
    with psycopg.connect(
        host=machine.host, port=machine.port, user=machine.user, password=machine.password,
        dbname=machine.database, autocommit=True,
    ) as warehouse:  # fmt: skip
        warehouse.execute("alter schema raw rename to elsewhere")
        try:
            ended = run_dag("flight_delays")
        finally:
            warehouse.execute("alter schema elsewhere rename to raw")

    assert ended.tasks["load"] == "failed"


@pytest.mark.parametrize(
    ("run_type", "month"),
    [("manual", "2013-07"), ("scheduled", "2013-05"), ("backfill", "2013-05")],
)
def test_which_month(run_type, month):
    """Schedule and backfill do the month of their interval, a person that of the form."""
    dag_run = SimpleNamespace(run_type=run_type, data_interval_start=timezone.datetime(2013, 5, 1))

    assert month_of(dag_run, {"month": "2013-07"}) == month


def test_backfill_is_a_month_a_dag_run(load_dag):
    """A backfill of 2013 has twelve dag_runs, each about its own month."""
    dag = DagSerialization.from_dict(DagSerialization.to_dict(load_dag("flight_delays")))

    runs = dag.iter_dagrun_infos_between(dag.start_date, timezone.datetime(2014, 1, 1))

    months = [run.data_interval.start.strftime("%Y-%m") for run in runs]
    assert months == [f"2013-{month:02}" for month in range(1, 13)]
