"""A local dbt Cloud for the operator's tests, and task instances that talk to it."""

import itertools
import json
import signal
import ssl

import aiohttp
import pytest
from attempts import TaskInstance
from chokepoint import chokepoint
from server_process import (
    ACCOUNT,
    JOB,
    OTHER_JOB,
    THIRD_JOB,
    Server,
    declare,
    job,
    prepare_server,
)


@pytest.fixture(scope="module")
def dbt_cloud(tmp_path_factory):
    """A local dbt Cloud whose dbt is a stand-in: the runs are real, their work is not."""
    server = prepare_server(
        tmp_path_factory.mktemp("dbt_cloud"),
        declare(
            job(JOB, "Build", "dbt build"),
            job(OTHER_JOB, "Hold", "dbt build --select hold"),
            job(THIRD_JOB, "Fail", "dbt build --select fail"),
            run_slots=4,
        ),
    ).start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.stop(signal.SIGKILL)


@pytest.fixture
def connected(dbt_cloud, monkeypatch):
    """The Airflow connection to it, and both libraries' trust in its certificate."""
    connect(dbt_cloud, monkeypatch)
    return dbt_cloud


@pytest.fixture
def narrow(connected, monkeypatch):
    """A proxy before the server, at which chosen requests get another answer."""
    with chokepoint(connected.folder / "tls", connected.port) as proxy:
        connect(connected, monkeypatch, proxy.server_address[1])
        yield proxy


def connect(server: Server, monkeypatch, port: int | None = None):
    connection = {
        "conn_type": "dbt_cloud",
        "host": f"localhost:{port or server.port}",
        "login": str(ACCOUNT),
        "password": server.token,
    }
    monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.bundle))


@pytest.fixture
def trusted(connected, monkeypatch):
    """Let this process's aiohttp trust the server, which it does not know since its import."""
    trust = ssl.create_default_context(cafile=str(connected.bundle))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trust)


@pytest.fixture
def task_instance(tmp_path, connected):
    """Make a new task instance, in a dag_run of its own."""
    numbers = itertools.count(1)

    def make(**options):
        """A task instance of a DAG that runs the job `job_id`, the quick one unless said."""
        number = next(numbers)
        folder = tmp_path / f"task-{number}"
        folder.mkdir()
        given = {"job_id": JOB, **options}
        return TaskInstance(folder, given, dag_run_id=f"manual__{tmp_path.name}-{number}")

    return make
