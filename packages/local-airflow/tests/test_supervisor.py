"""The supervisor's histories, told with a clock and children that are not real."""

import signal

import pytest

from local_airflow.base.restarts import PAUSES, Restarts
from local_airflow.native.process_table import Process
from local_airflow.native.supervisor import Supervisor
from local_airflow.stack.settings import load_settings


class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Child:
    """A child that ends when it is told to, or only when it is killed."""

    def __init__(self, history, name, *, stubborn=False):
        self.history, self.name, self.stubborn = history, name, stubborn
        self.pid, self.returncode = len(history) + 1000, None

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        self.history.append((self.name, signal.Signals(number).name))
        if not self.stubborn:
            self.returncode = -number

    def kill(self):
        self.history.append((self.name, "SIGKILL"))
        self.returncode = -9

    def wait(self):
        return self.returncode


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LOCAL_ENV_FILE", str(tmp_path / ".env"))
    settings = load_settings()
    settings.folders.create()
    return settings


@pytest.fixture
def make(settings):
    """Make a supervisor of `first` and `second`, with its clock and history."""

    def supervisor(stubborn=()):
        history, clock = [], Clock()

        def spawn(process, log):
            history.append((process.name, "started"))
            return Child(history, process.name, stubborn=process.name in stubborn)

        table = [Process("first", ["x"], {}, stop="SIGINT"), Process("second", ["x"], {})]
        return Supervisor(settings, table, spawn, clock, clock.sleep), history, clock

    return supervisor


def test_starts_in_order(make):
    """The processes are started in the order of the table."""
    supervisor, history, _ = make()

    supervisor.look()

    assert history == [("first", "started"), ("second", "started")]


def test_restarts_the_one_that_died_after_a_pause(make):
    """Only the dead one is started again, and not before its pause is over."""
    supervisor, history, clock = make()
    supervisor.look()
    history.clear()
    supervisor.children["second"].returncode = 1

    supervisor.look()
    assert history == []
    clock.now += PAUSES[0]
    supervisor.look()

    assert history == [("second", "started")]


def test_gives_up_after_the_last_pause(make):
    """One that dies at once, again and again, is given up."""
    supervisor, history, clock = make()
    for _ in range(50):
        supervisor.look()
        if "second" in supervisor.children:
            supervisor.children["second"].returncode = 1
        clock.now += 1

    assert supervisor.restarts["second"].given_up
    assert history.count(("second", "started")) == len(PAUSES) + 1


def test_stops_the_last_first_gently_then_surely(make):
    """The last started is stopped first; who does not listen is killed."""
    supervisor, history, _ = make(stubborn={"second"})
    supervisor.look()
    history.clear()

    supervisor.stop_all()

    assert history == [("second", "SIGTERM"), ("second", "SIGKILL"), ("first", "SIGINT")]


def test_a_long_life_wipes_the_slate():
    """After a minute of life, the next death has the shortest pause again."""
    clock = Clock()
    restarts = Restarts(clock)
    for _ in range(3):
        restarts.started()
        restarts.died()
    clock.now += 10
    restarts.started()
    clock.now += 61
    restarts.died()

    assert restarts.due_at == clock.now + PAUSES[0]


def test_pauses_grow():
    """Each death in a row waits longer than the one before."""
    clock = Clock()
    restarts = Restarts(clock)
    waits = []
    for _ in PAUSES:
        restarts.started()
        restarts.died()
        waits.append(restarts.due_at - clock.now)

    assert waits == sorted(set(waits))
