"""The supervisor's histories, told with a clock and children that are not real."""

import errno
import shutil
import signal

import pytest

from local_airflow.base.restarts import PAUSES, Restarts
from local_airflow.base.state_file import read_state, write_state
from local_airflow.native import supervisor as module
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
        made = Supervisor(settings, table, spawn, clock, clock.sleep)
        made.is_prepared = True
        return made, history, clock

    return supervisor


def test_starts_in_order(make):
    """The processes are started in the order of the table."""
    supervisor, history, _ = make()

    supervisor.look()

    assert history == [("first", "started"), ("second", "started")]


def test_nothing_begins_to_work_before_all_is_prepared(make):
    """What takes up work as soon as it runs is not started by a start that may still fail."""
    supervisor, history, _ = make()
    supervisor.table.append(Process("worker", ["x"], {}, begins_work=True))
    supervisor.restarts["worker"] = Restarts(supervisor.clock)
    supervisor.is_prepared = False

    supervisor.look()
    assert ("worker", "started") not in history
    supervisor.is_prepared = True
    supervisor.look()

    assert ("worker", "started") in history


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


class TestFullDisk:
    @pytest.fixture
    def free(self, monkeypatch):
        """Say how much is free, in MB, wherever it is measured."""

        def say(megabytes):
            usage = shutil._ntuple_diskusage(10**12, 10**12, megabytes * 1024**2)
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

        return say

    def test_nobody_is_given_up(self, make, free):
        """Who dies while the disk is full is started again for as long as it is; then as ever."""
        supervisor, history, clock = make()

        def die(seconds):
            for _ in range(seconds):
                supervisor.look()
                if "second" in supervisor.children:
                    supervisor.children["second"].returncode = 1
                clock.now += 1

        free(3)
        die(600)
        assert not supervisor.restarts["second"].given_up
        assert 600 / (PAUSES[-1] + 3) < history.count(("second", "started")) < 600 / PAUSES[-1] + 5
        free(5000)
        die(60)

        assert supervisor.restarts["second"].given_up

    def test_state_that_cannot_be_written(self, make, settings, monkeypatch):
        """The supervisor goes on, and writes it when there is room again."""
        supervisor, _, _ = make()
        written = settings.folders.processes / "state.json"

        def full(file, state):
            raise OSError(errno.ENOSPC, "No space left on device", str(file))

        monkeypatch.setattr(module, "write_state", full)
        supervisor.look()
        assert read_state(written) == {}
        monkeypatch.setattr(module, "write_state", write_state)
        supervisor.look()

        assert read_state(written)["processes"]["second"]["pid"] == supervisor.pid("second")

    def test_log_that_cannot_be_opened(self, make, settings):
        """Its process waits, the others go on; when it can be opened, the process is started."""
        supervisor, history, clock = make()
        # Nobody can write to it, root included.
        log = settings.folders.logs / "first.log"
        log.mkdir()

        supervisor.look()
        supervisor.look()
        assert history == [("second", "started")]
        log.rmdir()
        clock.now += PAUSES[-1]
        supervisor.look()

        assert history == [("second", "started"), ("first", "started")]


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
