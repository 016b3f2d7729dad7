"""Who ends a start, at whatever moment, finds nothing of it left."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from native_stack import Stack, wait_for
from repository_copy import ROOT, copy_repository


# What uv does that matters here: it starts others, and takes its time.
INSTALLING = """#!/bin/sh
sleep 300 &
echo $$ $! > {pids}.new
mv {pids}.new {pids}
wait
"""


class Installing:
    """A start that is busy with its first installation."""

    def __init__(self, folder):
        (folder / "bin").mkdir()
        self.pids = folder / "pids"
        uv = folder / "bin/uv"
        uv.write_text(INSTALLING.format(pids=self.pids))
        uv.chmod(0o755)
        self.stack = Stack(folder, copy_repository(folder / "clone"))
        self.up = subprocess.Popen(
            [sys.executable, "-m", "local_airflow", "up"],
            cwd=self.stack.root,
            env=self.stack.process_environment(PATH=f"{folder / 'bin'}:{os.environ['PATH']}"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(self.pids.exists, seconds=60)

    def living(self):
        return [pid for pid in self.pids.read_text().split() if is_alive(int(pid))]


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def installing(tmp_path):
    started = Installing(tmp_path)
    yield started
    started.up.kill()
    started.up.communicate()
    for pid in started.living():
        os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_an_installation(installing, number):
    """SIGTERM and SIGHUP are Ctrl-C: what installs ends too, with all that it has begun."""
    installing.up.send_signal(number)
    said = installing.up.communicate(timeout=60)[1]

    assert installing.up.returncode == 128 + number
    assert "interrupted" in said
    assert "Traceback" not in said
    assert installing.living() == []


def test_down_ends_an_installation(installing):
    """`down` ends a start before there is anything to stop, and `up` says who did it."""
    down = installing.stack.make("down")
    said = installing.up.communicate(timeout=60)[1]

    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert installing.up.returncode == 128 + signal.SIGTERM
    assert "interrupted by another command: make down" in said
    assert installing.living() == []
    assert installing.stack.make("down").stdout == "nothing was running\n"


def test_nohup_stays_nohup(installing, tmp_path):
    """Who started it so that a closed terminal does not end it has meant that."""
    stack = installing.stack
    ignoring = f"trap '' HUP; exec {sys.executable} -m local_airflow wait-ready --seconds 60"
    with subprocess.Popen(
        ["sh", "-c", ignoring], cwd=stack.root, env=stack.process_environment()
    ) as waiting:
        handlers = Path(f"/proc/{waiting.pid}/status")
        wait_for(lambda: "local_airflow" in Path(f"/proc/{waiting.pid}/cmdline").read_text())
        wait_for(lambda: caught(handlers, signal.SIGTERM))
        waiting.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert waiting.poll() is None
        waiting.terminate()
    assert waiting.returncode == 128 + signal.SIGTERM


def caught(status, number):
    """Tell whether a process has a handler for a signal."""
    (mask,) = (line.split()[1] for line in status.read_text().splitlines() if "SigCgt" in line)
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_closed_home_folder_is_named(tmp_path):
    """A cache that cannot be written is no matter of the network."""
    uv = shutil.which("uv") or ROOT / ".local/uv/bin/uv"
    stack = Stack(tmp_path, copy_repository(tmp_path / "clone"))
    # Closed to everybody, root too.
    done = stack.make(
        "install", "tools", HOME="/sys/closed", PATH=f"{Path(uv).parent}:{os.environ['PATH']}"
    )

    assert done.returncode == 1
    assert "error: /sys/closed/.cache/uv cannot be written" in done.stderr
    assert "→ To let it keep that elsewhere:   UV_CACHE_DIR=" in done.stderr
    assert "network" not in done.stderr
