"""The page that shows what `flight_delays` has published."""

import importlib.util
from pathlib import Path

import pytest
from airflow.api_fastapi.app import _AuthManagerState
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from starlette.testclient import TestClient

from examples.include.flight_delays.published_models import publish_model


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def app(airflow_database):
    """Load the plugin as Airflow does: from its file."""
    file = Path(__file__).parents[3] / "examples/plugins/flight_delays_page.py"
    spec = importlib.util.spec_from_file_location("flight_delays_page", file)
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    return plugin.app


@pytest.fixture
def page_for(app, monkeypatch):
    """The page, for somebody who has logged in and has a role, or none."""
    monkeypatch.setattr(_AuthManagerState, "instance", SimpleAuthManager())

    def make(role):
        user = SimpleAuthManagerUser(username="me", role=role)
        app.dependency_overrides[get_user] = lambda: user
        return TestClient(app)

    return make


@pytest.fixture
def page(page_for):
    return page_for("viewer")


@pytest.fixture
def connected(monkeypatch, warehouse):
    """The connection `warehouse` leads to the tests' own."""
    place = f"{warehouse.host}:{warehouse.port}/{warehouse.database}"
    url = f"postgres://{warehouse.user}:{warehouse.password}@{place}"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url)
    with warehouse.connect() as connection:
        connection.execute("drop schema if exists ml cascade")
    return warehouse


def published(warehouse, month, error):
    metrics = {
        "month": month,
        "error_minutes": error,
        "error_minutes_of_always_the_same": 13.8,
        "hours_learned": 1110,
        "hours_tested": 529,
    }
    with warehouse.connect() as connection:
        publish_model(connection, metrics, "<svg onload='alert(1)'></svg>")


def test_without_a_role(page_for):
    """Who may not read the DAG may not read what it has published."""
    assert page_for(None).get("/").status_code == 403


def test_months(page, connected):
    """Every month is there with its metrics, and a month that was trained again only once."""
    published(connected, "2013-01", 99.99)
    published(connected, "2013-01", 12.42)
    published(connected, "2013-02", 9.5)

    answer = page.get("/")

    assert answer.status_code == 200
    assert answer.text.index("2013-02") < answer.text.index("2013-01")
    assert "12.42 min" in answer.text
    assert "99.99" not in answer.text


def test_a_chart_is_only_a_picture(page, connected):
    """What a chart brings along is not part of the page, where it could run."""
    published(connected, "2013-01", 12.42)

    text = page.get("/").text

    assert "data:image/svg+xml;base64," in text
    assert "onload" not in text


def test_nothing_yet(page, connected):
    """Before the first month, it says how to make one."""
    assert "make run DAG=flight_delays" in page.get("/").text


def test_warehouse_does_not_answer(page, monkeypatch):
    """Without the warehouse, it says so and which connection it is, and shows no traceback."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://me:secret@127.0.0.1:1/db")

    answer = page.get("/")

    assert answer.status_code == 502
    assert "The warehouse cannot be read" in answer.text
    assert "secret" not in answer.text


def test_needs_a_login(app):
    """Whoever has not logged in sees nothing."""
    app.dependency_overrides.clear()

    assert TestClient(app, raise_server_exceptions=False).get("/").status_code != 200
