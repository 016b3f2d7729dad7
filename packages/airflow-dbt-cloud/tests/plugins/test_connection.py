"""The connection is written when a component of Airflow starts, and follows `.env`."""

import json

import pytest
from airflow.jobs.job import Job
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from airflow_dbt_cloud import CONNECTION_ID
from airflow_dbt_cloud.failing.notifications import NOTIFICATIONS
from airflow_dbt_cloud.plugins import connection as plugin


SETTINGS = {
    "DBT_CLOUD_JOB_URL": "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN": "dbtc_first",
}


def notifications():
    with create_session() as session:
        return session.scalar(select(Connection).where(Connection.conn_id == NOTIFICATIONS))


@pytest.fixture
def start(airflow_database, monkeypatch):
    """Start a component of Airflow with these settings, and give the connection that is there."""
    with create_session() as session:
        session.execute(delete(Connection))
    listener = plugin.ConnectionListener()

    def start_component(**settings):
        for name in (*SETTINGS, "LOCAL_DBT_CLOUD_URL", "DBT_CLOUD_NOTIFICATION_URLS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        listener.on_starting(Job())
        with create_session() as session:
            return session.scalar(select(Connection).where(Connection.conn_id == CONNECTION_ID))

    return start_component


def test_first_start_creates_it(start):
    """After the first start, the connection has the host, account, token and job of `.env`."""
    connection = start(**SETTINGS)

    assert (connection.conn_type, connection.host, connection.login) == (
        "dbt_cloud",
        "ab123.us1.dbt.com",
        "1",
    )
    assert connection.password == "dbtc_first"
    assert json.loads(connection.extra)["job_id"] == 3


def test_later_start_follows_the_settings(start):
    """A start after an edit of `.env` updates the same connection, the token included."""
    start(**SETTINGS)

    connection = start(
        DBT_CLOUD_JOB_URL="https://emea.dbt.com/deploy/7/projects/8/jobs/9",
        DBT_CLOUD_API_TOKEN="dbtc_second",
    )

    assert (connection.host, connection.login, connection.password) == (
        "emea.dbt.com",
        "7",
        "dbtc_second",
    )


def test_wrong_setting_leaves_the_connection(start):
    """A setting that is refused does not take away the connection that worked."""
    start(**SETTINGS)

    connection = start(DBT_CLOUD_API_TOKEN="dbtc_third")

    assert connection.password == "dbtc_first"


def test_token_is_encrypted_in_the_database(start):
    """The column holds no readable token."""
    connection = start(**SETTINGS)

    assert "dbtc_first" not in connection._password


def test_a_task_writes_nothing(airflow_database):
    """A task, which has no access to the database, is left alone."""
    plugin.ConnectionListener().on_starting(object())


class TestNotifications:
    def test_written_and_taken_back(self, start):
        """Where failures are told follows `.env`: written encrypted, gone when it is emptied."""
        start(**SETTINGS, DBT_CLOUD_NOTIFICATION_URLS="json://localhost/a,slack://b/c/d")

        connection = notifications()
        assert connection.is_extra_encrypted
        assert [each["path"] for each in connection.extra_dejson["config"]] == [
            "json://localhost/a",
            "slack://b/c/d",
        ]

        start(**SETTINGS)

        assert notifications() is None

    def test_one_made_by_a_person_stays(self, start):
        """A connection that somebody made in Airflow's UI is not touched by an empty setting."""
        start(**SETTINGS)
        with create_session() as session:
            session.add(Connection(conn_id=NOTIFICATIONS, conn_type="apprise", description="mine"))

        start(**SETTINGS)

        assert notifications().description == "mine"
