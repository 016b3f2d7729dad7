"""The stack is stopped and started while forty dag runs are in the air, and a laptop sleeps."""

import contextlib
import os
import signal
import time

from lengths import seconds


def test_down_and_up(airport, flight):
    """`make down` ends what waits for dbt Cloud, with its run; what is queued goes on later."""
    airport.restart()

    flight.end()
    queued = "select state from dag_run where dag_id = 'flight_queued' and run_id = any(%s)"
    states = airport.ask_airflows_database(queued, flight.dag_runs["queued"])
    assert set(states) == {("success",)}


def test_laptop_that_slept(airport, flight):
    """Nobody does anything for a while, and then everybody goes on at once."""
    processes = list(airport.stack.processes())
    send(signal.SIGSTOP, processes)
    time.sleep(seconds(90, 900))
    send(signal.SIGCONT, processes)

    flight.land()


def send(number, processes):
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
