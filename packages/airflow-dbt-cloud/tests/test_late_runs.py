"""A request that the network delivers after its time limit: one run counts, the other is seen."""

import json
import os
import signal
import time

import apprise
import pytest
from attempts import Blow
from chokepoint import Answer
from http_receiver import receiver
from server_process import JOB, OTHER_JOB
from test_exactly_once import CANCELLED, SUCCESS, runs_of

from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.failing.notifications import apprise_config
from airflow_dbt_cloud.waiting.waiting import Waiting


# One of Apprise's own modules imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TRIGGER = "POST .*/jobs/.*/run/"
MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "sync"])
# The last look at a run, when it has ended.
LAST_LOOK = "GET runs/ run_steps,trigger"


@pytest.fixture
def held_up(narrow, tmp_path):
    """The next trigger is given up, and delivered when the file is there."""
    gate = tmp_path / "deliver"
    narrow.answers.append(Answer(TRIGGER, 504, delivered_with=gate))
    return gate


@pytest.fixture
def told(monkeypatch):
    """The messages that arrive where the connection `dbt_cloud_notifications` points."""
    # The task is forked from this process, in which another test may have sent a message: a fork
    # has Apprise's pools and none of their threads. Airflow's own parents of tasks send none.
    for pool in ("_shared_executor", "_coordinator_executor"):
        monkeypatch.setattr(apprise.apprise, pool, None)
    with receiver() as (url, messages):
        config = {"config": apprise_config(url.replace("http://", "json://"))}
        connection = {"conn_type": "apprise", "extra": config}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS", json.dumps(connection))
        yield messages


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def deliver_and_wait(gate):
    """In the task's own process, which asks dbt Cloud over a connection of its own."""
    api = HookRunsApi(PatientDbtCloudHook(), None)
    newest = api.newest_runs(job_definition_id=JOB, limit=1)[0]["id"]
    gate.touch()
    wait_until(
        lambda: (
            (run := api.newest_runs(job_definition_id=JOB, limit=1)[0])["id"] > newest
            and run["is_complete"]
        )
    )


@MODES
class TestDeliveredLate:
    def test_while_the_run_goes_on(self, task_instance, connected, held_up, deferrable):
        """The younger run is cancelled, and the older one is the task's, as its log says."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=deferrable)
        child = ti.start()
        wait_until(lambda: "job_run_id" in ti.xcoms)
        connected.held(ti.xcoms["job_run_id"])

        held_up.touch()
        wait_until(lambda: [run["status"] for run in runs_of(connected, ti)][1:] == [CANCELLED])
        connected.release()
        ended = ti.wait(child)
        (connected.folder / "release").unlink()

        first, second = runs_of(connected, ti)
        assert ended == {"returned": first["id"]}
        assert (first["status"], second["status"]) == (SUCCESS, CANCELLED)
        assert f"Cancelling dbt Cloud run {second['id']}: a request that was given up" in ti.log
        assert "more than once" not in ti.log

    def test_when_both_have_ended(self, task_instance, connected, held_up, told, deferrable):
        """The task succeeds, and its log and a message name both runs."""
        ti = task_instance(deferrable=deferrable)
        last = Blow(LAST_LOOK, False, lambda: deliver_and_wait(held_up))

        ended = ti.run(last)

        first, second = runs_of(connected, ti)
        assert ended == {"returned": first["id"]}
        assert (first["status"], second["status"]) == (SUCCESS, SUCCESS)
        (message,) = told
        assert (message["type"], message["title"]) == (
            "warning",
            "flights.build ran more than once",
        )
        for words in (f"Run {first['id']} counts", f"run {second['id']} (Success"):
            assert words in message["message"]
            assert words in ti.log


class EndedRun:
    """dbt Cloud, as far as a worker asks it that waits for a run which has ended."""

    def run(self, run_id, *_):
        return {"id": run_id, "status": SUCCESS}

    def newest_runs(self, *_, **__):
        return []


@pytest.mark.parametrize(("deadline", "until"), [(1000, 100), (50, 50)])
def test_worker_waits_until_nothing_can_come(deadline, until):
    """It looks on after the end of the run, but no longer than the task has time."""
    now, searched = [0.0], []

    def pause(seconds):
        now[0] += seconds

    waiting = Waiting(
        api=EndedRun(),
        longest=10,
        deadline=deadline,
        pause=pause,
        show=lambda _: None,
        warn=lambda _: None,
        search=lambda: searched.append(now[0]),
        search_until=100,
        clock=lambda: now[0],
    )

    assert waiting.until_ended(1, JOB, 0.0)["status"] == SUCCESS
    assert until <= now[0] < until + 11
    assert searched[-1] == now[0]


class TestDiesOrIsCleared:
    @pytest.fixture
    def killed(self, task_instance, narrow, tmp_path):
        """A task whose worker died while its trigger was held up, and how to deliver that."""
        gate = tmp_path / "deliver"
        narrow.answers.append(Answer(TRIGGER, 504, delivered_with=gate))
        ti = task_instance(job_id=OTHER_JOB)
        narrow.strike_at(TRIGGER, lambda sender: os.kill(sender, signal.SIGKILL), after=True)
        assert ti.run() == {"killed": signal.SIGKILL}
        return ti, gate

    @pytest.mark.parametrize("how", ["retry", "clear"])
    def test_delivered_to_the_next_try(self, killed, connected, how):
        """The run of a try that is dead is cancelled beside that of the next one."""
        ti, gate = killed
        if how == "clear":
            ti.clear()
        else:
            ti.try_number += 1
        child = ti.start()
        wait_until(lambda: "job_run_id" in ti.xcoms)
        connected.held(ti.xcoms["job_run_id"])

        gate.touch()
        late = lambda: [  # noqa: E731 # asked again and again
            run for run in runs_of(connected, ti) if run["id"] != ti.xcoms["job_run_id"]
        ]
        wait_until(lambda: [run["status"] for run in late()] == [CANCELLED])
        os.kill(child, signal.SIGKILL)
        ti.wait(child)

        own = connected.get(f"v2/runs/{ti.xcoms['job_run_id']}/")
        assert not own["is_complete"]
        connected.request("POST", f"v2/runs/{own['id']}/cancel/")
