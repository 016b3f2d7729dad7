"""The real commands, once: a second stack beside whatever else runs on this machine."""

import json
import os
import re
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from native_stack import Stack
from terminal import read_all, seen, start

from dbt_cloud_api.user_error import UserError
from local_airflow.base.install import check_space
from local_airflow.native.native_mode import NEEDED_MEGABYTES


@pytest.fixture
def stack(tmp_path):
    stack = Stack(tmp_path)
    yield stack
    stack.make("down")
    assert stack.processes() == {}


def test_up_survives_a_kill_and_down_leaves_nothing(stack):
    """`up` is true and ends `wait`, a killed scheduler is back, no secret is shown, `down` ends."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(stack.make, "wait-ready", "--seconds", "280")
        up = stack.make("up")
        assert waiting.result().stdout == "ready\n"
    assert up.returncode == 0, up.stdout + up.stderr
    assert "LOCAL" in up.stdout
    assert stack.make("status").returncode == 0

    commands = "\n".join(stack.processes().values())
    logs = "\n".join(file.read_text() for file in (stack.state / "logs").glob("*.log"))
    assert [secret for secret in stack.secrets() if secret in commands + logs] == []
    assert {file.stat().st_mode & 0o777 for file in (stack.state / "secrets").iterdir()} == {0o600}

    killed = stack.scheduler()[2]
    os.kill(int(killed), signal.SIGKILL)
    deadline = time.monotonic() + 180
    while (row := stack.scheduler()) is None or row[2] == killed:
        assert time.monotonic() < deadline, "the scheduler did not come back"

    # Whatever somebody has done to .env meanwhile.
    stack.write("export A=1")
    down = stack.make("down")
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    (warning,) = down.stderr.splitlines()
    assert re.fullmatch(
        r"warning: \.env, line \d cannot be read: .*; stopping all the same", warning
    )
    assert stack.processes() == {}
    stack.write()
    assert stack.make("status").returncode == 3


def test_interrupted_start_leaves_nothing(stack):
    """In a terminal `up` shows what it waits for; Ctrl-C, also an impatient one, ends it all."""
    up = start(stack, "up")
    up.expect("✓.* s  PostgreSQL, with January in the warehouse")
    # What is ready as soon as it is asked for is no line that stands for long.
    up.expect(r"[0-9] s  (the local dbt Cloud|Airflow's four components) …")
    assert stack.processes()
    up.sendintr()
    up.expect("stopping what was started …")
    up.sendintr()
    shown = read_all(up)

    assert up.exitstatus == 130
    assert seen(shown)[-2:] == ["interrupted", ""]
    assert "Traceback" not in shown
    assert stack.processes() == {}


def test_down_ends_a_start_and_a_second_start_is_refused(stack):
    """What a power cut left is no word of this start; nobody joins it; `down` ends it at once."""
    processes = stack.state / "processes"
    processes.mkdir(parents=True)
    # Process 1 lives, and is a stranger.
    died = {"airflow": {"pid": 1, "restarts": 2, "given_up": True}}
    left = {"pid": 1, "problem": "that was another time", "processes": died}
    (processes / "state.json").write_text(json.dumps(left))

    up = start(stack, "up")
    up.expect("✓.* s  PostgreSQL, with January in the warehouse")
    second = stack.make("up")
    assert second.returncode == 1
    assert "another make up is at work" in second.stderr
    assert "make wait-ready" in second.stderr
    assert "make down" in second.stderr
    assert stack.processes()

    assert stack.make("down").stdout == "stopped\n"
    up.timeout = 30
    shown = read_all(up)

    assert up.exitstatus == 128 + signal.SIGTERM
    assert "interrupted by another command: make down" in shown
    assert stack.processes() == {}


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("address", ["127.0.0.1", *(["::1", "::"] if has_ipv6() else [])])
def test_taken_port_is_named_and_nothing_is_started(stack, address):
    """A port that is taken, at either of this machine's addresses, is named with who holds it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as other:
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind((address, 0))
        other.listen()
        stack.write(AIRFLOW_PORT=other.getsockname()[1])

        up = stack.make("up")

    assert up.returncode == 1
    assert "AIRFLOW_PORT" in up.stderr
    assert f"(process {os.getpid()}) listens there" in up.stderr
    assert "Traceback" not in up.stderr
    assert stack.processes() == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("export A=1", "cannot be read"),
        ("DBT_CLOUD_API_TOKEN=x", "does not say which job"),
    ],
)
def test_wrong_setting_is_refused_before_anything_starts(stack, line, words):
    """A wrong line in .env ends `up` with problem, cause and remedy."""
    stack.write(line)

    up = stack.make("up")

    assert up.returncode == 1
    assert words in up.stderr
    assert "→" in up.stderr
    assert "Traceback" not in up.stderr
    assert stack.processes() == {}


def test_process_that_dies_at_start_is_named(stack):
    """When Airflow cannot start, `up` names it, shows its last lines and cleans up."""
    stack.write("AIRFLOW__CORE__AUTH_MANAGER=no.such.AuthManager")

    up = stack.make("up")

    assert up.returncode == 1
    assert "died" in up.stderr
    assert "no.such" in up.stderr or "No module named" in up.stderr
    assert stack.processes() == {}


def test_down_when_nothing_runs_is_no_error(stack):
    """`down` twice is fine."""
    assert stack.make("down").stdout == "nothing was running\n"


def test_reset_that_nobody_can_agree_to(stack):
    """Without a terminal and an answer `reset` deletes nothing, and says how to agree."""
    stack.make("status")
    reset = stack.make("reset", stdin="")

    assert reset.returncode == 1
    assert "→ echo yes | make reset" in reset.stderr
    assert stack.secrets()


@pytest.mark.parametrize(("left", "refused"), [(299, True), (300, False)])
def test_full_disk_is_refused_before_anything_starts(stack, monkeypatch, left, refused):
    """A start that would end halfway is refused with what is needed and where."""
    usage = shutil._ntuple_diskusage(10**12, 10**12, left * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    expected = pytest.raises(UserError, match="only 299 MB left") if refused else nullcontext()
    with expected:
        check_space(stack.state, NEEDED_MEGABYTES, "Databases and logs need")
