"""One real stack for all tests that need Airflow itself running."""

import pytest

from tests.local_airflow.native_stack import Stack


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory):
    """Airflow, PostgreSQL and the local dbt Cloud, started by the real command."""
    stack = Stack(tmp_path_factory.mktemp("running_stack"))
    up = stack.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    yield stack
    stack.make("down")
    assert stack.processes() == {}
