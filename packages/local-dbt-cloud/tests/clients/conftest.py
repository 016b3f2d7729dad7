"""The server that all clients share, and the outcome of each client's checks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from clients.check_process import Report, run_checks
from clients.clients import CLIENTS, Client
from clients.environments import install_client
from clients.page import keep_facts
from clients.seeded_server import SeededServer, prepare_server, seed
from endpoint_calls import EndpointCalls
from server_process import NO_WAREHOUSE, Server
from supported_endpoints import implemented

from dbt_cloud_api.user_error import UserError


NOT_INSTALLABLE = pytest.StashKey[dict[str, str]]()


def server_folder(tmp_path_factory, name: str) -> Path:
    """One deeper than tests/local_dbt_cloud looks for the logs of its own servers."""
    folder = tmp_path_factory.mktemp(name) / "server"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def server_without_cause(tmp_path_factory) -> Iterator[Server]:
    """A server whose triggers need no cause; its runs are simulated."""
    options = {"LOCAL_DBT_CLOUD_CAUSE_REQUIRED": "false", "LOCAL_DBT_CLOUD_RUNS": "simulated"}
    folder = server_folder(tmp_path_factory, "without_cause")
    server = prepare_server(folder, **NO_WAREHOUSE, **options).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def seeded_server(tmp_path_factory, warehouse, server_without_cause) -> Iterator[SeededServer]:
    """A local dbt Cloud that holds a good run, a failed one and a cancelled one."""
    folder = server_folder(tmp_path_factory, "clients")
    # The same authority, so that one bundle is enough for both.
    (folder / "tls").symlink_to(server_without_cause.folder / "tls")
    server = prepare_server(folder, **warehouse.environment()).start()
    try:
        yield seed(server, server_without_cause)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def report_of(seeded_server, tmp_path_factory, pytestconfig) -> Callable[[Client], Report]:
    """Install a client and run its checks, once; answer what became of them."""
    refused = pytestconfig.stash.setdefault(NOT_INSTALLABLE, {})
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    calls = EndpointCalls(["GET /", *(row.endpoint for row in implemented())])
    log = [seeded_server.server.folder / "server.log"]
    calls.read(log, "the seeds")

    @cache
    def report(client: Client) -> Report:
        try:
            with capture.global_and_fixture_disabled():
                environment = install_client(client)
        except UserError as error:
            refused[client.title] = str(error)
            return Report(dict.fromkeys(client.checks, f"error: {error}"))
        done = run_checks(
            client, environment, seeded_server.facts, tmp_path_factory.mktemp(client.title)
        )
        calls.read(log, client.title)
        endpoints = {each for each, titles in calls.found.items() if client.title in titles}
        keep_facts(client, done, endpoints)
        return replace(done, endpoints=frozenset(endpoints))

    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each check of each client, so that each has a name and a result of its own."""
    if {"client", "check"} <= set(metafunc.fixturenames):
        cases = [(client, check) for client in CLIENTS for check in client.checks]
        ids = [f"{client.title}-{check.replace('test_', '')}" for client, check in cases]
        metafunc.parametrize(("client", "check"), cases, ids=ids)
    elif "client" in metafunc.fixturenames:
        metafunc.parametrize("client", CLIENTS, ids=[client.title for client in CLIENTS])


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Name what could not be installed, whatever else the summary shows."""
    for name, reason in config.stash.get(NOT_INSTALLABLE, {}).items():
        terminalreporter.section(f"not installable: {name}", red=True)
        terminalreporter.line(f"error: {reason}")
