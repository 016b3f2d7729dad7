"""Servers for the tests: see `server_process.py`."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local_dbt_cloud.endpoint_calls import EndpointCalls
from tests.local_dbt_cloud.queue_in_process import prepare_queue
from tests.local_dbt_cloud.server_process import (
    JOB,
    OTHER_JOB,
    THIRD_JOB,
    Server,
    declare,
    job,
    prepare_server,
)
from tests.local_dbt_cloud.supported_endpoints import CALLS, implemented


ENDPOINT_CALLS = pytest.StashKey[EndpointCalls]()
LAST = "test_every_claim_is_true"


def pytest_collection_modifyitems(config, items):
    """What was recorded can be judged when everything has run, and only for whole modules."""
    items.sort(key=lambda item: item.name == LAST)
    calls = EndpointCalls(row.endpoint for row in implemented())
    if not any("::" in argument for argument in config.args):
        calls.whole_modules = {item.path.stem for item in items}
    config.stash[ENDPOINT_CALLS] = calls


def pytest_deselected(items):
    """A module of which something was left out is no whole one."""
    for item in items:
        item.config.stash[ENDPOINT_CALLS].whole_modules.discard(item.path.stem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Note which endpoints the test's servers have answered, from their access logs."""
    result = yield
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


def pytest_sessionfinish(session):
    """Keep what `make docs-write` writes into docs/supported_endpoints.md."""
    calls = session.config.stash.get(ENDPOINT_CALLS, None)
    if calls is None or not CALLS.parent.is_dir():
        return
    kept = json.loads(CALLS.read_text()) if CALLS.exists() else {}
    merged = {
        endpoint: sorted(
            calls.found.get(endpoint, set()) | (set(kept.get(endpoint, [])) - calls.whole_modules)
        )
        for endpoint in kept.keys() | calls.found.keys()
    }
    CALLS.write_text(json.dumps(merged, indent=1, sort_keys=True))


@pytest.fixture
def endpoint_calls(pytestconfig) -> EndpointCalls:
    """What the tests of this session have called so far."""
    return pytestconfig.stash[ENDPOINT_CALLS]


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
