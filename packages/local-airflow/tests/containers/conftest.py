"""
Tests against real containers. `make test-docker` runs them; they fail where no engine answers.

Every stack is started from a clone in a folder of its own, as an ordinary user.
"""

import tempfile
from pathlib import Path

import docker
import pytest
from container_clone import Clone, new_name


@pytest.fixture(scope="session")
def engine():
    client = docker.from_env(timeout=120)
    yield client
    client.close()


@pytest.fixture(scope="session")
def make_clone(engine):
    """Make a clone; its containers, volumes and images are gone when the tests are through."""
    with tempfile.TemporaryDirectory(prefix="clones-") as folder:
        Path(folder).chmod(0o755)
        clones = []

        def make(what, parent="", name="", **settings):
            place = Path(folder) / parent / (name or new_name(what))
            place.mkdir(parents=True)
            place.parent.chmod(0o755)
            clones.append(Clone(place, **settings))
            return clones[-1]

        yield make
        for clone in clones:
            clone.remove()


@pytest.fixture(scope="session")
def stack(make_clone):
    """The stack of one clone, started by `make up` on a machine that never saw it before."""
    clone = make_clone("flights")
    up = clone.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    clone.up_said = up.stdout
    return clone


@pytest.fixture
def containers(engine, stack):
    """Every container of the stack, by its service."""
    found = engine.containers.list(
        all=True, filters={"label": f"com.docker.compose.project={stack.project}"}
    )
    return {each.labels["com.docker.compose.service"]: each for each in found}
