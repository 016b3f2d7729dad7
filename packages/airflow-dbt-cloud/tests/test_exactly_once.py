"""Whatever dies at whatever moment, a generation of a task has one dbt Cloud run."""

import contextlib
import itertools
import os
import signal
import threading
import time
from datetime import timedelta

import pytest
from attempts import Blow, kill_this_process
from server_process import JOB, OTHER_JOB

from airflow_dbt_cloud.one_run.cause import RunKey, name_task_instance


SUCCESS, ERROR, CANCELLED = 10, 20, 30
SIDES = ["before", "after"]
POST = "POST jobs/run/"
ONE_AFTER_A_KILL = ({"killed": signal.SIGKILL}, [SUCCESS])


def key_of(task_instance, generation=1):
    nonce = task_instance.memory["nonce"]
    identity = ("flights", task_instance.dag_run_id, "build", "-1")
    return RunKey(name_task_instance(nonce, *identity), generation)


def runs_of(dbt_cloud, task_instance, generation=1):
    """The runs whose cause has the key of this generation, oldest first."""
    key = key_of(task_instance, generation)
    runs = dbt_cloud.get("v2/runs/", order_by="-id", limit=20, include_related="trigger")
    return [run for run in reversed(runs) if key.is_in(run["trigger"]["cause"])]


@contextlib.contextmanager
def always_restarted(server):
    """Bring the server back whenever it has been killed; gives what is locked meanwhile."""
    over, restarting = threading.Event(), threading.Lock()

    def watch():
        while not over.wait(0.01):
            if server.process.poll() is not None:
                with restarting:
                    server.client.close()
                    server.start()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield restarting
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "sync"])
class TestKilledWorker:
    def test_at_every_point(self, task_instance, connected, deferrable):
        """Killed right before or after any request or write, the next try has the one run."""
        first = task_instance(deferrable=deferrable)
        assert first.run() == {"returned": first.xcoms["job_run_id"]}

        points = dict.fromkeys(first.trace)
        counts = {}
        for name in points:
            for side in SIDES:
                ti = task_instance(deferrable=deferrable)
                killed = ti.run(Blow(name, side == "after", kill_this_process))
                ended = ti.retry()
                runs = runs_of(connected, ti)
                counts[side, name] = (killed, [run["status"] for run in runs])
                assert ended == {"returned": runs[0]["id"]}, (side, name, ti.log)

        assert len(points) >= 10
        assert {name: each for name, each in counts.items() if each != ONE_AFTER_A_KILL} == {}

    def test_again_and_again(self, task_instance, connected, deferrable):
        """Killed in every one of its tries at another point, the last one ends with the one run."""
        ti = task_instance(deferrable=deferrable, job_id=JOB)
        ti.run(Blow(POST, after=True, strike=kill_this_process))
        for point in ("GET runs/ trigger", "write state dbt_cloud run", "write xcom job_run_url"):
            ti.retry(Blow(point, after=True, strike=kill_this_process))

        ended = ti.retry()

        assert [outcome.get("killed") for outcome in ti.outcomes[:-1]] == [9, 9, 9, 9]
        assert [run["id"] for run in runs_of(connected, ti)] == [ended["returned"]]


class TestKilledDbtCloud:
    def test_at_every_point(self, task_instance, connected):
        """
        Killed right before or after any request, the server comes back, and the task succeeds.

        It has one successful run, and none was ever started before the one before it had ended.
        """
        first = task_instance()
        first.run()

        with always_restarted(connected) as restarting:
            for name in dict.fromkeys(first.trace):
                if "xcom" in name or "state" in name:
                    continue
                for side in SIDES:
                    ti = task_instance()
                    pid = connected.process.pid
                    blow = Blow(name, side == "after", lambda pid=pid: os.kill(pid, 9))
                    self.one_try(ti, restarting, blow)
                    while "returned" not in ti.outcomes[-1]:
                        assert ti.try_number < 4, (side, name, ti.outcomes)
                        ti.try_number += 1
                        self.one_try(ti, restarting)
                    with restarting:
                        runs = runs_of(connected, ti)
                    check_one_after_the_other(runs, (side, name))

    def one_try(self, ti, restarting, blow=None):
        """Fork while the other thread is at rest: a fork would inherit locks that it holds."""
        with restarting:
            child = ti.start(blow)
        ti.outcomes.append(ti.wait(child))

    @pytest.mark.parametrize("minutes", [15, -15])
    def test_clocks_that_differ(self, task_instance, connected, minutes):
        """A lost run is found by dbt Cloud's own time, whatever Airflow's clock says."""
        ti = task_instance()
        ti.clock_ahead = timedelta(minutes=minutes)

        ended = ti.run(Blow(POST, after=True, strike=lambda: None))

        assert [run["id"] for run in runs_of(connected, ti)] == [ended["returned"]]

    def test_answer_lost(self, task_instance, connected):
        """When the answer to the POST is lost, the same try finds the run that it started."""
        ti = task_instance()

        ended = ti.run(Blow(POST, after=True, strike=lambda: None))

        (run,) = runs_of(connected, ti)
        assert ended == {"returned": run["id"]}
        assert "Looking for the run that it may have started" in ti.log
        assert ti.trace.count(POST) == 1


def check_one_after_the_other(runs, where):
    """Only the last run has succeeded, and each began after the one before it was over."""
    assert [run["status"] for run in runs] == [ERROR] * (len(runs) - 1) + [SUCCESS], where
    for earlier, later in itertools.pairwise(runs):
        assert earlier["finished_at"] <= later["created_at"], where


class TestSomebodyElse:
    def test_their_run_is_never_adopted(self, task_instance, connected):
        """An active run of the same job, and one of another Airflow's same task, are left alone."""
        theirs = connected.trigger(OTHER_JOB, cause="a person")
        twin = connected.trigger(JOB, cause="[airflow:0123456789abcdef.1] Airflow: dag flights")
        ti = task_instance(job_id=OTHER_JOB, deferrable=False, timeout=1)

        ended = ti.run()

        assert ended["raised"] == "RunTimeoutError"
        assert ti.xcoms["job_run_id"] not in {theirs["id"], twin["id"]}
        connected.request("POST", f"v2/runs/{theirs['id']}/cancel/")


class TestClear:
    def test_starts_another_run(self, task_instance, connected):
        """A Clear after a success is a new generation, with a run and a key of its own."""
        ti = task_instance()
        before = ti.run()
        ti.clear()

        after = ti.run()

        assert [run["id"] for run in runs_of(connected, ti, 1)] == [before["returned"]]
        assert [run["id"] for run in runs_of(connected, ti, 2)] == [after["returned"]]

    def test_ends_a_run_that_it_could_not_reach(self, task_instance, connected):
        """A run of before the Clear that still goes on is cancelled before the next is started."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=False)
        ti.run(Blow(POST, after=True, strike=kill_this_process))
        (first,) = runs_of(connected, ti, 1)
        connected.held(first["id"])
        ti.clear()
        ti.options["timeout"] = 0

        ti.run()

        (first,), (second,) = runs_of(connected, ti, 1), runs_of(connected, ti, 2)
        assert first["status"] == CANCELLED
        assert second["id"] == ti.xcoms["job_run_id"]
        assert "the task has been cleared" in ti.log

    def test_retries_edited_between_two_tries(self, task_instance, connected):
        """A retry is no Clear, even when `retries` in the DAG file has been changed meanwhile."""
        ti = task_instance()
        ti.run(Blow(POST, after=True, strike=kill_this_process))
        ti.retries = 5

        ended = ti.retry()

        assert [run["id"] for run in runs_of(connected, ti, 1)] == [ended["returned"]]


class TestZombie:
    def test_is_stopped_before_it_triggers(self, task_instance, connected):
        """A try that Airflow has given up cannot write its intention, and so triggers nothing."""
        ti = task_instance()

        def refuse():
            raise RuntimeError("404: task instance not found")

        ended = ti.run(Blow("write state dbt_cloud intention", after=False, strike=refuse))

        assert ended["raised"] == "RuntimeError"
        assert not [name for name in ti.trace if name.startswith("POST")]


def test_settles_quickly(task_instance, connected):
    """The usual try asks dbt Cloud once to trigger, and searches for nothing."""
    ti = task_instance()
    started = time.monotonic()
    ti.run()

    triggering = ti.trace[: ti.trace.index("write xcom job_run_id")]
    assert [name for name in triggering if name.startswith(("GET", "POST"))] == [POST]
    assert time.monotonic() - started < 60
