"""Everything dies at once, PostgreSQL included, as a laptop does whose battery is empty."""

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest


@pytest.mark.sample
def test_power_cut(airport, flight):
    """After the next `make up` all forty land by themselves, with one run each that counts."""
    kill_everything(airport.stack)

    airport.up()

    assert orphans(airport.stack) == []
    flight.land()


def kill_everything(stack):
    """Stopped first, so that nobody sees another one die."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in stack.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def orphans(stack):
    """What writes this stack's logs, and has lost its parent: Airflow's workers would for ever."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            logs = Path(f"/proc/{process.pid}/fd/1").readlink().parent
            if process.ppid() == 1 and logs == stack.state / "logs":
                found.append(process)
    return [each for each in found if "supervise" not in each.cmdline()]
