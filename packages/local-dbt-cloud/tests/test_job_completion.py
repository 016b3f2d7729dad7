"""Jobs that start when another job's run has ended."""

import time

import pytest
from queue_in_process import add_run, all_runs, wait
from server_process import JOB, OTHER_JOB, PROJECT, job

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs.job_completion import JobCompletion
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.runs.run_controls import RunControls


def after(job_id, *statuses, project_id=PROJECT):
    condition = {"job_id": job_id, "project_id": project_id}
    condition |= {"statuses": list(statuses)} if statuses else {}
    return {"job_completion_trigger_condition": {"condition": condition}}


@pytest.fixture
def make(make_queue):
    """A queue whose second job follows the first one as told."""

    def make(condition, controls=None, **account):
        queue = make_queue(
            controls,
            job(JOB, "First", "dbt build"),
            job(OTHER_JOB, "Second", "dbt test", **condition),
            **account,
        )
        new_runs = NewRuns(queue.account, queue.store, queue)
        queue.store.listeners.append(JobCompletion(new_runs))
        return queue

    return make


def followers(queue):
    """What has been started, once nothing is in progress any more."""
    deadline = time.monotonic() + 120
    while queue.executions and time.monotonic() < deadline:
        time.sleep(0.01)
    return [run for run in all_runs(queue) if run.job_id == OTHER_JOB]


def test_follows_a_success(make):
    """The second job runs once, and its run says behind which run it came."""
    queue = make(after(JOB, 10))
    first = wait(queue, add_run(queue))
    (second,) = followers(queue)

    assert second.cause_category == "job completion"
    assert second.trigger["cause"] == f"Triggered by completion of run {first.id}"
    assert second.commands == ["dbt test"]
    assert wait(queue, second).status is RunStatus.SUCCESS


@pytest.mark.parametrize(
    ("command", "statuses", "count"),
    [
        ("dbt build", (20, 30), 0),
        ("dbt build --select fail", (10,), 0),
        ("dbt build --select fail", (10, 20), 1),
        ("dbt build --select fail", (), 1),
    ],
)
def test_only_the_ends_that_count(make, command, statuses, count):
    """The condition names the ends that start the second job; without a word, each of them does."""
    queue = make(after(JOB, *statuses))
    wait(queue, add_run(queue, commands=[command]))

    assert len(followers(queue)) == count


def test_another_project_does_not_count(make):
    """The condition names a job of a project."""
    queue = make(after(JOB, 10, project_id=7))
    wait(queue, add_run(queue))

    assert followers(queue) == []


def test_a_job_does_not_follow_itself(make):
    """It would never stop."""
    queue = make(after(OTHER_JOB, 10))
    wait(queue, add_run(queue, OTHER_JOB))

    assert len(followers(queue)) == 1


def test_a_cancelled_run_that_never_started(make):
    """Cancelling in the queue is an end too."""

    class FirstHeld(RunControls):
        def may_start(self, run):
            return run.job_id != JOB

    queue = make(after(JOB, 30), FirstHeld())
    queue.cancel(add_run(queue))

    assert len(followers(queue)) == 1


def test_in_the_server(fresh_server):
    """A client sees the second job's run, whose trigger says why it is there."""
    server = fresh_server(
        job(JOB, "First", "dbt build"), job(OTHER_JOB, "Second", "dbt test", **after(JOB, 10))
    )
    first = server.finish(server.trigger()["id"])
    server.wait(first["id"], lambda _: server.get("v2/runs/", job_definition_id=OTHER_JOB))
    (second,) = server.get("v2/runs/", job_definition_id=OTHER_JOB, include_related="trigger")

    assert second["trigger"]["cause_category"] == "job completion"
    assert server.finish(second["id"])["status"] == 10
