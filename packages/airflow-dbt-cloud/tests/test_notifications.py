"""Who is told of a failure, and what: through the provider for Apprise, to a real HTTP server."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from airflow.sdk.log import mask_secret
from http_receiver import receiver

from airflow_dbt_cloud.failing.notifications import apprise_config, notify_on_failure
from airflow_dbt_cloud.failing.run_failures import DbtFailedError
from airflow_dbt_cloud.failure import DBT_NODE, FailedNode, Failure


# One of Apprise's own modules imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NODE = FailedNode(
    "model.flights.monthly", "model", "monthly", "no column x", "m.sql", "Data platform", ()
)
FAILURE = Failure(
    DBT_NODE,
    "dbt Cloud run 3 failed: 1 dbt node failed.",
    "mend the model, then Clear this task: it resumes at monthly.",
    run_id=3,
    link="https://ab123.us1.dbt.com/deploy/1/projects/2/runs/3/",
    failed=(NODE,),
)


def failed_task(error):
    ti = SimpleNamespace(
        dag_id="flights", task_id="build", run_id="manual__1", log_url="http://airflow/log"
    )
    return {"ti": ti, "exception": error}


@pytest.fixture
def told(monkeypatch):
    """The messages that arrive where the connection `dbt_cloud_notifications` points."""
    with receiver() as (url, messages):
        config = {"config": apprise_config(url.replace("http://", "json://"))}
        connection = {"conn_type": "apprise", "extra": config}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", json.dumps(connection))
        yield messages


def test_tells_what_the_log_says(told):
    """The message has the side, the node, its owner, what to do next, and where to click."""
    notify_on_failure()(failed_task(DbtFailedError(FAILURE)))

    (message,) = told
    assert message["title"] == "flights.build failed: dbt node"
    assert message["type"] == "failure"
    for words in ("monthly", "Data platform", "it resumes at monthly", FAILURE.link, "airflow/log"):
        assert words in message["message"]


def test_connection_with_one_address(monkeypatch):
    """The provider lets a connection have one address without a list round it."""
    with receiver() as (url, messages):
        config = {"config": {"path": url.replace("http://", "json://")}}
        connection = {"conn_type": "apprise", "extra": config}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", json.dumps(connection))
        notify_on_failure()(failed_task(DbtFailedError(FAILURE)))

    assert len(messages) == 1


def test_masks_tokens(told):
    """What Airflow knows to be a secret leaves it as stars."""
    mask_secret("dbtc_a-secret-token")

    notify_on_failure()(failed_task(RuntimeError("refused: dbtc_a-secret-token")))

    (message,) = told
    assert "dbtc_a-secret-token" not in json.dumps(message)
    assert "refused: ***" in message["message"]


def test_fits_everywhere(told):
    """A long message is cut to what every service takes, and still says what to do and where."""
    long = replace(FAILURE, failed=(replace(NODE, message="x" * 5000),) * 20)

    notify_on_failure()(failed_task(DbtFailedError(long)))

    (message,) = told
    assert len(message["message"]) <= 1900
    for words in ("the log has the rest", "it resumes at monthly", FAILURE.link, "airflow/log"):
        assert words in message["message"]


def test_says_that_nobody_took_it(monkeypatch, capsys):
    """A service that cannot be reached does not fail anything, and the log says so."""
    config = {"config": apprise_config("json://127.0.0.1:9/")}
    connection = {"conn_type": "apprise", "extra": config}
    monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", json.dumps(connection))

    notify_on_failure()(failed_task(RuntimeError("broken")))

    assert "Not everybody was told" in capsys.readouterr().out


def test_follows_no_redirect(monkeypatch, capsys):
    """A service that sends its callers on has not taken the message, and nobody else gets it."""
    with receiver() as (elsewhere, unsent), receiver(elsewhere) as (url, _):
        address = f"{url.replace('http://', 'json://')}?+X-Key=a-secret-key"
        connection = {"conn_type": "apprise", "extra": {"config": apprise_config(address)}}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", json.dumps(connection))

        notify_on_failure()(failed_task(RuntimeError("broken")))

    assert unsent == []
    assert "Not everybody was told" in capsys.readouterr().out


def test_nothing_configured_nothing_sent(monkeypatch):
    """Without the connection, the callback does nothing, and breaks nothing."""
    monkeypatch.delenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", raising=False)
    with receiver() as (_, messages):
        notify_on_failure()(failed_task(RuntimeError("broken")))

    assert messages == []


@pytest.mark.parametrize(
    ("setting", "paths"),
    [
        ("", []),
        ("slack://a/b/c", ["slack://a/b/c"]),
        (
            "mailto://u:p@example.com?to=a@example.com,b@example.com,json://localhost/x",
            ["mailto://u:p@example.com?to=a@example.com,b@example.com", "json://localhost/x"],
        ),
    ],
    ids=["none", "one", "two, one of them with a comma"],
)
def test_addresses(setting, paths):
    """The setting holds any number of addresses, which may have commas of their own."""
    assert [each["path"] for each in apprise_config(setting)] == paths
