"""What `status`, `doctor` and `run` say of a part that is there and does not work."""

import json
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from native_stack import Stack, wait_for
from terminal import start

from local_airflow.base.listeners import open_files
from local_airflow.stack.side_by_side import Deadline, begin


# 3 s on an idle machine, and what one that is busy with other tests takes more. Whoever waited for
# a frozen part until a connection gives up, one question after the other, would need 12 to 34.
SECONDS_TO_SAY_SO = 10


def status(stack):
    """The report as JSON, its parts by name, and the seconds that it took."""
    since = time.monotonic()
    report = json.loads(stack.make("status", "--format", "json").stdout)
    return report, {part["name"]: part for part in report["parts"]}, time.monotonic() - since


@contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def nobody_gets_in(running_stack):
    """A PostgreSQL that goes on with those who are in, and refuses everybody else."""
    owner = psycopg.connect(
        host="127.0.0.1",
        port=running_stack.ports["POSTGRES_PORT"],
        user="postgres",
        password=(running_stack.state / "secrets/postgres_password").read_text().strip(),
        autocommit=True,
    )
    with owner:
        owner.execute("ALTER DATABASE airflow ALLOW_CONNECTIONS false")
        yield owner
        owner.execute("ALTER DATABASE airflow ALLOW_CONNECTIONS true")
    wait_for(lambda: status(running_stack)[0]["healthy"])


def ports_of(pid):
    """The ports of this machine that a process is connected from."""
    sockets = set(open_files(Path("/proc", str(pid))))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(each[1].rpartition(":")[2], 16) for each in lines if f"socket:[{each[9]}]" in sockets
    ]


class TestFrozen:
    @pytest.mark.parametrize(
        "name",
        [
            *("postgres", "local-dbt-cloud", "airflow"),
            *("api-server", "scheduler", "dag-processor", "triggerer"),
        ],
    )
    def test_is_named_quickly(self, running_stack, name):
        """Whoever is frozen is named, alone, with what to type; nobody else is waited for long."""
        _, before, _ = status(running_stack)
        pid = before[name]["place"]
        with frozen(int(pid)):
            report, parts, seconds = status(running_stack)

        unwell = [part for part in parts.values() if not part["is_healthy"]]
        assert [(part["name"], part["state"]) for part in unwell] == [(name, "frozen")]
        assert unwell[0]["remedy"] == f"kill -CONT {pid}"
        assert not report["healthy"]
        assert seconds < SECONDS_TO_SAY_SO

    def test_who_does_not_answer_is_not_waited_for(self):
        """A question that nobody answers ends with its time, and keeps no other answer back."""
        silent, quick = begin(lambda: time.sleep(30)), begin(lambda: 7)
        deadline = Deadline(0.2)
        since = time.monotonic()

        with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
            deadline.answer(silent)
        assert deadline.answer(quick) == 7
        assert time.monotonic() - since < 10


class TestNewConnections:
    def test_status_names_the_refusal(self, running_stack, nobody_gets_in):
        """All processes run and Airflow calls itself healthy: PostgreSQL is named all the same."""
        done = running_stack.make("status")

        assert done.returncode == 1
        assert "mode         native, not all healthy" in done.stdout
        assert "problem    postgres: does not answer" in done.stdout
        assert "not currently accepting connections" in done.stdout
        assert "make restart S=postgres" in done.stdout

    def test_doctor_blames_the_database(self, running_stack, nobody_gets_in):
        """The database is red, in its own words, and the connection dbt_cloud_default is not."""
        done = running_stack.make("doctor")

        assert done.returncode == 1
        assert "✗ postgres: does not answer" in done.stdout
        assert "not currently accepting connections" in done.stdout
        assert "has no connection" not in done.stdout
        assert "1 red (postgres)" in done.stdout

    def test_wait_ready_is_not_satisfied(self, running_stack, nobody_gets_in):
        """Nothing is ready as long as nobody gets in."""
        done = running_stack.make("wait-ready", "--seconds", "1")

        assert done.returncode == 1
        assert "not currently accepting connections" in done.stderr

    def test_run_names_the_database(self, running_stack, nobody_gets_in):
        """An Airflow that needs a new connection breaks down: `run` says which part is to blame."""
        api_server = status(running_stack)[1]["api-server"]["place"]
        nobody_gets_in.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY(%s)",
            [ports_of(api_server)],
        )
        done = running_stack.make("run", "dbt_cloud_job")

        assert done.returncode == 1
        assert "postgres: does not answer" in done.stderr
        assert "make restart S=postgres" in done.stderr
        assert "That is why Airflow refused GET /api/v2/dags/dbt_cloud_job" in done.stderr
        assert "Traceback" not in done.stderr


def test_killed_supervisor_is_said(tmp_path):
    """After its death, `status` and `run` say when it was and what to type; `down` forgets it."""
    stack = Stack(tmp_path)
    up = start(stack, "up")
    up.expect("✓.* s  PostgreSQL, with January in the warehouse")
    (supervisor,) = [pid for pid, line in stack.processes().items() if line.endswith("supervise ")]
    # Otherwise it would clean up.
    os.kill(up.pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not stack.processes(), seconds=60)

    status, run = stack.make("status"), stack.make("run", "dbt_cloud_job")
    stack.make("down")

    assert status.returncode == 3
    assert time.strftime("The supervisor ended at %H:") in status.stdout
    assert "make up" in status.stdout
    assert "The supervisor ended at" in run.stderr
    assert "→ make up" in run.stderr
    assert stack.make("status").stdout == "nothing is running; to start it:   make up\n"
