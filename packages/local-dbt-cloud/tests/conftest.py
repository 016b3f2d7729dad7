"""Servers for the tests: see `server_process.py`."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint_calls import EndpointCalls
from queue_in_process import prepare_queue
from server_process import (
    JOB,
    OTHER_JOB,
    THIRD_JOB,
    Server,
    declare,
    job,
    prepare_server,
)
from supported_endpoints import CALLS, implemented, untrue_claims
from warehouse import flights_in_warehouse, warehouse


__all__ = ["flights_in_warehouse", "warehouse"]


ENDPOINT_CALLS = pytest.StashKey[EndpointCalls]()


def pytest_configure(config):
    """Begin with nothing; where tests run in several processes, each has its own."""
    config.stash[ENDPOINT_CALLS] = EndpointCalls(row.endpoint for row in implemented())


def pytest_deselected(items):
    """A module of which something was left out is no whole one."""
    for item in items:
        item.config.stash[ENDPOINT_CALLS].partial_modules.add(item.path.stem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Note which endpoints the test's servers have answered, from their access logs."""
    result = yield
    calls = item.config.stash[ENDPOINT_CALLS]
    is_part = any("::" in argument for argument in item.config.args)
    (calls.partial_modules if is_part else calls.modules).add(item.path.stem)
    read_logs(item)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    """Before fixtures end: a throwaway server takes its log with it."""
    if dbt_cloud := item.funcargs.get("dbt_cloud"):
        item.config.stash[ENDPOINT_CALLS].other_logs.add(dbt_cloud.server.folder / "server.log")
    read_logs(item)


def read_logs(item):
    if not item.path.is_relative_to(Path(__file__).parent):
        return
    calls = item.config.stash[ENDPOINT_CALLS]
    logs = item.session.config._tmp_path_factory.getbasetemp().glob("*/server.log")
    calls.read([*logs, *calls.other_logs], item.path.stem)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take what a process of the tests has noted, when it ends."""
    told = getattr(node, "workeroutput", {}).get("endpoint_calls")
    if told:
        node.config.stash[ENDPOINT_CALLS].add(told)


def pytest_sessionfinish(session):
    """
    Keep what `make docs-write` writes into docs/supported_endpoints.md, and hold the page to it.

    Each module that the page names for an endpoint has called it with success; looked at are the
    modules that were run as a whole.
    """
    calls = session.config.stash[ENDPOINT_CALLS]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["endpoint_calls"] = calls.as_json()
        return
    if CALLS.parent.is_dir():
        kept = json.loads(CALLS.read_text()) if CALLS.exists() else {}
        CALLS.write_text(json.dumps(calls.merged_into(kept), indent=1, sort_keys=True))
    if untrue_claims(calls) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Name what the page claims and no test has done."""
    for endpoint, module in sorted(untrue_claims(config.stash[ENDPOINT_CALLS])):
        terminalreporter.line(
            f"FAILED docs/supported_endpoints.md: {module} has not called {endpoint} with success;"
            " to write the page:   make docs-write",
            red=True,
        )


@pytest.fixture(scope="session")
def make_server(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Prepare a server in a new folder; whatever still runs at the end of the tests is stopped."""
    servers: list[Server] = []

    def make(declared: dict[str, Any], *, dbt: Path | None = None, **process_env: str) -> Server:
        folder = tmp_path_factory.mktemp("dbt_cloud")
        server = prepare_server(folder, declared, dbt=dbt, **process_env)
        servers.append(server)
        return server

    yield make
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def server(make_server) -> Iterator[Server]:
    """A server whose dbt is the stand-in, shared by the tests of a module."""
    jobs = (
        job(JOB, "Build tiny", "dbt build"),
        job(OTHER_JOB, "Hold", "dbt build --select hold"),
        job(THIRD_JOB, "Fail", "dbt seed", "dbt build --select fail", "dbt test"),
    )
    server = make_server(declare(*jobs)).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_server(make_server) -> Iterator[Server]:
    """A server for tests that create what they need and leave the declared jobs alone."""
    server = make_server(declare(job(JOB, "Build tiny", "dbt build"))).start()
    yield server
    server.stop()


@pytest.fixture
def fresh_server(make_server) -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own; they are stopped with the test."""
    started: list[Server] = []

    def start(*jobs: dict[str, Any], run_slots: int = 2, **options: Any) -> Server:
        started.append(make_server(declare(*jobs, run_slots=run_slots), **options).start())
        return started[-1]

    yield start
    for server in started:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@pytest.fixture
def make_queue(tmp_path) -> Iterator[Callable[..., Any]]:
    """Open queues in this process; they are closed with the test."""
    queues = []

    def make(controls=None, *jobs, **account):
        queues.append(prepare_queue(tmp_path, controls, *jobs, **account))
        queues[-1].open()
        return queues[-1]

    yield make
    for queue in queues:
        queue.close()
        queue.store.close()
