"""Servers for the tests: see `server_process.py`."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
