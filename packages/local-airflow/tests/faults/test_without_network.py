"""On a train: nothing but this machine itself can be reached."""

import subprocess
import sys

import pytest
from native_stack import Stack
from repository_copy import copy_with_environments


# In a network of its own a process finds no device but the loopback one, which is down.
WITH_LOOPBACK = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    return Stack(folder, copy_with_environments(folder / "clone"))


def alone(stack, *command):
    """Run it without a route to anywhere; needs root, as `.ci/run` has it."""
    return subprocess.run(
        ["unshare", "--net", sys.executable, "-c", WITH_LOOPBACK, *command],
        cwd=stack.root,
        env=stack.process_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_stack_without_network(stack):
    """What is installed starts, runs the sample, tests its DAGs and stops."""
    script = "make up && make run && make test TESTS=tests; code=$?; make down && exit $code"

    done = alone(stack, "bash", "-c", script)

    assert done.returncode == 0, done.stdout + done.stderr
