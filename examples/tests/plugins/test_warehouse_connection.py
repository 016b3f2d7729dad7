"""The connection `warehouse` is written when a component of Airflow starts, and follows `.env`."""

import importlib.util
from pathlib import Path

import pytest
from airflow.jobs.job import Job
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import delete, select


@pytest.fixture
def start(airflow_database, monkeypatch):
    """Start a component of Airflow with these settings, and give the connection that is there."""
    file = Path(__file__).parents[3] / "examples/plugins/warehouse_connection.py"
    spec = importlib.util.spec_from_file_location("warehouse_connection", file)
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == "warehouse"))

    def start_component(**settings):
        for name in ("WAREHOUSE_URL", "LOCAL_WAREHOUSE_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        plugin.WarehouseListener().on_starting(Job())
        with create_session() as session:
            return session.scalar(select(Connection).where(Connection.conn_id == "warehouse"))

    return start_component


def test_it_follows_the_settings(start):
    """The first start creates it, a later one updates it: host, port, login and password."""
    start(LOCAL_WAREHOUSE_URL="postgresql://me:first@localhost:5433/db")

    connection = start(WAREHOUSE_URL="postgresql://you:second@db.example.com/sales")

    assert (connection.conn_type, connection.host, connection.port) == (
        "postgres",
        "db.example.com",
        5432,
    )
    assert (connection.login, connection.password) == ("you", "second")


def test_a_wrong_address_leaves_the_connection(start):
    """A WAREHOUSE_URL that is refused does not take away the connection that worked."""
    start(LOCAL_WAREHOUSE_URL="postgresql://me:first@localhost:5433/db")

    connection = start(WAREHOUSE_URL="nonsense")

    assert connection.password == "first"


def test_without_a_warehouse_there_is_none(start):
    """Where no warehouse was started and none is named, nothing is written."""
    assert start() is None
