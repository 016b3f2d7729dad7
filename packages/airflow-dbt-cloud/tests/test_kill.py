"""A task that is ended in Airflow ends its run in dbt Cloud: once, within seconds, and says so."""

import asyncio
import os
import signal
import time
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from attempts import Blow, run_to_the_end, tell_this_process_to_stop
from server_process import JOB, OTHER_JOB

from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.waiting import trigger as trigger_module
from airflow_dbt_cloud.waiting.trigger import DbtCloudRunTrigger


CANCEL = "POST runs/cancel/"
POST = "POST jobs/run/"
MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "sync"])


def newest(dbt_cloud, job_id=OTHER_JOB):
    return dbt_cloud.get("v2/runs/", job_definition_id=job_id, order_by="-id", limit=1)[0]


def wait_for_newest():
    """With a connection of its own, because a try is a fork of the test."""
    api = HookRunsApi(PatientDbtCloudHook(), None)
    deadline = time.monotonic() + 60
    while api.newest_runs(job_definition_id=JOB, limit=1)[0]["status"] < 10:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def say_that_time_is_up():
    """As Airflow does when execution_timeout is over, wherever the task is."""
    raise AirflowTaskTimeout


def waiting_for(run_id, **more):
    now = time.time()
    given = {
        "conn_id": "dbt_cloud_default",
        "account_id": None,
        "job_id": OTHER_JOB,
        "run_id": run_id,
        "created_at": now,
        "end_time": now + 60,
        "execution_deadline": None,
        "check_interval": 10,
    }
    return DbtCloudRunTrigger(**given | more)


class TestMarkedInTheUi:
    def test_sync(self, task_instance, connected):
        """SIGTERM, Airflow's way to end a task that runs, cancels its run before the SIGKILL."""
        # Whoever waits for the next look before it stops is far from "at once".
        ti = task_instance(job_id=OTHER_JOB, deferrable=False, check_interval=300)
        child = ti.start()
        deadline = time.monotonic() + 60
        while "write xcom job_run_id" not in ti.trace:
            assert time.monotonic() < deadline, ti.log
            time.sleep(0.01)
        connected.held(newest(connected)["id"])

        told = time.monotonic()
        os.kill(child, signal.SIGTERM)
        ended = ti.wait(child)

        assert time.monotonic() - told < 30
        assert ended["raised"] == "TaskStoppedError"
        assert newest(connected)["status_message"] == "Cancelled by user."
        assert ti.trace.count(CANCEL) == 1
        assert "Cancelled dbt Cloud run" in ti.log

    @pytest.mark.parametrize("answer_arrives", [True, False], ids=["answered", "answer lost"])
    def test_while_the_run_is_triggered(self, task_instance, connected, answer_arrives):
        """A run that was being started in that moment does not outlive its task."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=False)

        ended = ti.run(Blow(POST, True, tell_this_process_to_stop, answer_arrives))

        assert ended["raised"] == "TaskStoppedError"
        assert newest(connected)["is_cancelled"]
        assert ti.trace.count(POST) == 1

    @pytest.mark.parametrize("told", ["state dbt_cloud run", "xcom job_run_url", "xcom job_run_id"])
    def test_while_airflow_is_told_of_the_run(self, task_instance, connected, told):
        """The run is cancelled at once also where the task waits for an answer of Airflow's."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=False)

        ended = ti.run(Blow(f"write {told}", False, tell_this_process_to_stop))

        assert ended["raised"] == "TaskStoppedError"
        assert newest(connected)["is_cancelled"]
        assert ti.trace.index(CANCEL) == ti.trace.index(f"write {told}") + 1
        assert "Cancelled dbt Cloud run" in ti.log

    def test_before_the_run_is_triggered(self, task_instance, connected):
        """A task that is told to stop before it has triggered a run triggers none."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=False)

        ended = ti.run(Blow("read state dbt_cloud", False, tell_this_process_to_stop))

        assert ended["raised"] == "TaskStoppedError"
        assert POST not in ti.trace

    def test_deferred(self, connected, trusted, caplog):
        """The triggerer calls `on_kill`, which cancels the run and says so."""
        run = connected.trigger(OTHER_JOB)

        run_to_the_end(waiting_for(run["id"]).on_kill())

        assert newest(connected)["is_cancelled"]

    def test_deferred_while_dbt_cloud_is_away(self, connected, trusted, monkeypatch):
        """The cancel is repeated until dbt Cloud is back, within the time that Airflow gives."""
        run = connected.trigger(OTHER_JOB)
        connected.held(run["id"])
        monkeypatch.setattr(trigger_module, "backoff", lambda *_: 0.05)

        async def killed_meanwhile():
            os.kill(connected.process.pid, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(
                0.5, os.kill, connected.process.pid, signal.SIGCONT
            )
            await waiting_for(run["id"]).on_kill()

        run_to_the_end(killed_meanwhile())

        assert connected.get(f"v2/runs/{run['id']}/")["is_cancelled"]


class TestTimeout:
    @MODES
    @pytest.mark.parametrize(
        "limit",
        # The second one counts from the beginning of the try, which must have its run by then.
        [{"timeout": 1}, {"execution_timeout": timedelta(seconds=4)}],
        ids=["timeout", "execution_timeout"],
    )
    def test_cancels_once_and_fails(self, task_instance, connected, deferrable, limit):
        """Both limits of time cancel the run, in both modes, and the failure says which side."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=deferrable, **limit)
        started = time.monotonic()

        ended = ti.run()

        assert time.monotonic() - started < 60
        assert ended["raised"] == "RunTimeoutError"
        assert newest(connected)["is_cancelled"]
        assert ti.trace.count(CANCEL) == 1
        assert ti.xcoms["dbt_cloud_failure"]["side"] == "Airflow"
        assert "Cancelled dbt Cloud run" in ti.log

    @pytest.mark.parametrize(
        ("point", "after"),
        [(POST, True), ("write state dbt_cloud run", False), ("write state dbt_cloud run", True)],
    )
    def test_before_the_task_knows_its_run(self, task_instance, connected, point, after):
        """A run that dbt Cloud has started, and of which the task has not heard, is cancelled."""
        ti = task_instance(job_id=OTHER_JOB, execution_timeout=timedelta(seconds=60))

        ended = ti.run(Blow(point, after, say_that_time_is_up))

        assert ended["raised"] == "RunTimeoutError"
        assert newest(connected)["is_cancelled"]
        assert (ti.trace.count(POST), ti.trace.count(CANCEL)) == (1, 1)

    def test_before_there_is_a_run(self, task_instance, connected):
        """Nothing is cancelled, not even somebody else's run, and the failure says why."""
        other = connected.trigger(OTHER_JOB)
        ti = task_instance(job_id=OTHER_JOB, execution_timeout=timedelta(seconds=60))

        ended = ti.run(Blow("write state dbt_cloud intention", False, say_that_time_is_up))

        assert ended["raised"] == "RunTimeoutError"
        assert "before it had a run" in ended["words"]
        assert newest(connected)["id"] == other["id"]
        assert not connected.get(f"v2/runs/{other['id']}/")["is_complete"]
        connected.request("POST", f"v2/runs/{other['id']}/cancel/")

    @MODES
    def test_run_that_ends_in_time_is_not_touched(self, task_instance, connected, deferrable):
        """A run that ends before the limit is the task's result."""
        ti = task_instance(job_id=JOB, deferrable=deferrable, timeout=60)

        assert ti.run() == {"returned": ti.xcoms["job_run_id"]}
        assert CANCEL not in ti.trace


class TestTriggererStops:
    def test_run_that_ended_meanwhile(self, task_instance, connected):
        """Time that is up while nobody looked does not undo a run that has succeeded by then."""
        ti = task_instance(job_id=JOB, timeout=0)

        ended = ti.run(Blow("write xcom job_run_id", True, wait_for_newest, answer_arrives=True))

        assert ended == {"returned": ti.xcoms["job_run_id"]}
        assert CANCEL not in ti.trace

    def test_upgraded_meanwhile(self):
        """A trigger that another version of this code has stored is restored."""
        assert waiting_for(1, of_the_next_version=True).run_id == 1

    def test_leaves_the_run_alone(self, connected, trusted):
        """A triggerer that stops or restarts hands its triggers on: the run goes on."""
        run = connected.trigger(OTHER_JOB)

        async def stopped():
            waiting = asyncio.create_task(anext(waiting_for(run["id"]).run()))
            await asyncio.sleep(0.3)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        run_to_the_end(stopped())

        assert not connected.get(f"v2/runs/{run['id']}/")["is_complete"]
        connected.request("POST", f"v2/runs/{run['id']}/cancel/")
