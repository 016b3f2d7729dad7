"""`make dag-test DEBUG=…` lets nobody but you be the debugger, which runs code as you."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager

import psutil
import pytest


@contextmanager
def waiting(port=0):
    """A debugger of ours: it waits for the DAG's process."""
    with closing(socket.create_server(("127.0.0.1", port))) as server:
        server.settimeout(60)
        yield server, server.getsockname()[1]


def test_the_process_connects_and_listens_nowhere(searched):
    """The DAG's process comes to the debugger; there is no port that somebody else could use."""
    with waiting() as (server, port):
        process = subprocess.Popen(
            [sys.executable, "-m", "local_airflow", "dag-test", "talkative", "--debug", str(port)],
            cwd=searched.stack.root,
            env=searched.stack.process_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            connection, _ = server.accept()
            with closing(connection):
                below = psutil.Process(process.pid).children(recursive=True)
                listening = [
                    each.laddr
                    for each_process in below
                    for each in each_process.net_connections("tcp")
                    if each.status == psutil.CONN_LISTEN
                ]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    assert below
    assert listening == []


def test_no_debugger(searched):
    """When none waits, it says so and what to do first."""
    with waiting() as (_, port):
        pass
    done = searched.stack.make("dag-test", "talkative", "--debug", str(port))

    assert done.returncode == 1
    assert f"no debugger waits at 127.0.0.1:{port}" in done.stderr


@pytest.mark.usefixtures("must_be_root")
def test_debugger_of_another_user(searched):
    """One that another user of the machine has put there is refused."""
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); s.accept()"
    )
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with subprocess.Popen(
        [*as_nobody, "/usr/bin/python3", "-c", program], stdout=subprocess.PIPE, text=True
    ) as other:
        port = other.stdout.readline().strip()
        done = searched.stack.make("dag-test", "talkative", "--debug", port)
        other.kill()

    assert done.returncode == 1
    assert "is another user of this machine" in done.stderr
