"""Everything dies at once, PostgreSQL included, as a laptop does whose battery is empty."""

import contextlib
import os
import signal

import pytest


@pytest.mark.sample
def test_power_cut(airport, flight):
    """After the next `make up` all forty land by themselves, with one run each that counts."""
    kill_everything(airport.stack)

    airport.up()

    flight.land()


def kill_everything(stack):
    """Stopped first, so that nobody sees another one die."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in stack.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
