"""
Fixtures for tests of what talks to dbt Cloud. pytest finds them where this package is installed.

`dbt_cloud` is a local dbt Cloud as it is after a start, and Airflow is told how to reach it.
tests/README.md shows it at work.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbt_cloud_api.client import THIS_MACHINE
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.testing.test_client import DbtCloud, start_dbt_cloud


JOBS_FILE = "dbt_cloud_jobs.yml"
WAREHOUSE = tuple(f"WAREHOUSE_{name}" for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"))


@pytest.fixture(scope="session")
def dbt_cloud_jobs(pytestconfig: pytest.Config) -> Path:
    """The file that declares account and jobs; override it to use another one."""
    return pytestconfig.rootpath / JOBS_FILE


@pytest.fixture(scope="session")
def dbt_cloud_process_env() -> dict[str, str]:
    """
    What the server is told besides its own folder, port and token; override it to say more.

    Runs are real when the process environment names a warehouse, and simulated when it does not.
    """
    real = all(os.environ.get(name) for name in WAREHOUSE)
    return {"LOCAL_DBT_CLOUD_RUNS": "real" if real else "simulated"}


@pytest.fixture(scope="session")
def dbt_cloud_connection_id() -> str:
    """The Airflow connection that leads to it; override it for another name."""
    return CONNECTION_ID


@pytest.fixture(scope="session")
def dbt_cloud_server(
    dbt_cloud_jobs: Path, dbt_cloud_process_env: dict[str, str]
) -> Iterator[DbtCloud]:
    """One server for all tests of a session: starting it takes longer than resetting it."""
    try:
        dbt_cloud = start_dbt_cloud(dbt_cloud_jobs, dbt_cloud_process_env)
    except UserError as error:
        pytest.fail(f"error: {error}", pytrace=False)
    yield dbt_cloud
    dbt_cloud.server.stop()


@pytest.fixture
def dbt_cloud(
    dbt_cloud_server: DbtCloud, dbt_cloud_connection_id: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DbtCloud]:
    """A local dbt Cloud without runs, faults and requests; Airflow's connection leads to it."""
    dbt_cloud_server.reset()
    connection = dbt_cloud_server.connection
    name = f"AIRFLOW_CONN_{dbt_cloud_connection_id.upper()}"
    monkeypatch.setenv(name, connection.for_airflow())
    # requests reads the one, aiohttp and httpx the other.
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, str(connection.ca_bundle))
    # A proxy that this network needs knows nothing of a server on this machine.
    for variable in ("NO_PROXY", "no_proxy"):
        around = [os.environ.get(variable, ""), *THIS_MACHINE]
        monkeypatch.setenv(variable, ",".join(filter(None, around)))
    trust_in_aiohttp(connection.ca_bundle)
    yield dbt_cloud_server
    # Not left for the next test to find: a held run would outlive this one.
    dbt_cloud_server.reset()


def trust_in_aiohttp(ca_bundle: Path) -> None:
    """
    Let an aiohttp that is already imported trust the server.

    It reads SSL_CERT_FILE once, when it is imported, and Airflow's provider imports it long
    before a test runs. Its context can learn more authorities at any time.
    """
    connector = sys.modules.get("aiohttp.connector")
    context = getattr(connector, "_SSL_CONTEXT_VERIFIED", None)
    if context is not None:
        context.load_verify_locations(cafile=ca_bundle)
