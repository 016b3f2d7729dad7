"""What the tests of the launcher share: a running stack, and a warehouse with flights."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_stack import Stack
from repository_copy import copy_with_environments
from warehouse import flights_in_warehouse, warehouse


__all__ = ["flights_in_warehouse", "warehouse"]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs a Docker engine, unless it is asked for."""
    needs_engine = collection_path == Path(__file__).parent / "containers"
    return True if needs_engine and not os.environ.get("RUN_DOCKER_TESTS") else None


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory) -> Iterator[Stack]:
    """Airflow, PostgreSQL and the local dbt Cloud, started by the real command."""
    folder = tmp_path_factory.mktemp("running_stack")
    stack = Stack(folder, copy_with_environments(folder / "clone"))
    up = stack.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    yield stack
    stack.make("down")
    assert stack.processes() == {}
