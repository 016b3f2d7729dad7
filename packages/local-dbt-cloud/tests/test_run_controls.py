"""The seam through which runs are held or decided without dbt."""

import threading

import pytest
from queue_in_process import add_run, wait

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs.run_controls import RunControls, StandIn
from local_dbt_cloud.runs.run_folder import RunFolder
from local_dbt_cloud.runs.run_plan import CANCELLED, End, timed_out


class Script(RunControls):
    """Controls that a test writes: what to answer for a command, and a gate in the queue."""

    def __init__(self, answers=()):
        self.answers = dict(answers)
        self.open = True

    def may_start(self, run):
        return self.open

    def before_step(self, run, step, ended):
        answer = self.answers.get(step.command)
        return answer(ended) if callable(answer) else answer


def steps(queue, run):
    return {
        step.command: step.status
        for step in queue.store.list_steps([run.id])[run.id]
        if step.command
    }


def test_without_controls_a_run_goes_its_own_way(make_queue):
    """Nobody interferes by default."""
    queue = make_queue(None)
    ended = wait(queue, add_run(queue))

    assert (ended.status, ended.status_message) == (RunStatus.SUCCESS, None)


def test_a_step_succeeds_without_dbt(make_queue):
    """The stand-in's log and artifacts are the step's, and dbt is not started for it."""
    stand_in = StandIn(log="made up", artifacts={"run_results.json": b"{}"})
    queue = make_queue(Script({"dbt build": stand_in}))
    ended = wait(queue, add_run(queue))
    folder = RunFolder(queue.settings.state / "runs" / str(ended.id))

    assert ended.status is RunStatus.SUCCESS
    assert folder.console_log(4).read_text() == "made up\n"
    assert folder.find_artifact("run_results.json", 4).read_bytes() == b"{}"
    assert not folder.debug_log(4).exists()


def test_a_step_fails_without_dbt(make_queue):
    """The run is an error with the first error line of the stand-in's log."""
    queue = make_queue(Script({"dbt build": StandIn(succeeded=False, log="Database Error: no")}))
    ended = wait(queue, add_run(queue))

    assert ended.status is RunStatus.ERROR
    assert ended.status_message == "Invoke dbt with `dbt build` failed: Database Error: no"


@pytest.mark.parametrize("end", [timed_out(60), CANCELLED, End(RunStatus.ERROR, "it broke")])
def test_a_run_ends_as_told(make_queue, end):
    """Timed out, cancelled, failed: at the step that was named, which then has no row."""
    queue = make_queue(Script({"dbt build": end}))
    ended = wait(queue, add_run(queue))

    assert (ended.status, ended.status_message) == (end.status, end.message)
    assert steps(queue, ended) == {"dbt deps": RunStatus.SUCCESS}


def test_a_held_run_can_be_cancelled(make_queue):
    """A run that waits at a step is told when it has ended, and ends as cancelled."""
    reached, told = threading.Event(), threading.Event()

    def hold(ended):
        reached.set()
        assert ended.wait(60)
        told.set()

    queue = make_queue(Script({"dbt build": hold}))
    run = add_run(queue)
    assert reached.wait(60)
    queue.cancel(run)

    assert told.wait(60)
    assert wait(queue, run).status is RunStatus.CANCELLED


def test_the_queue_can_be_held(make_queue):
    """A run stays queued, and those of its job behind it, until the controls let it go."""
    controls = Script()
    controls.open = False
    queue = make_queue(controls)
    first, second = add_run(queue), add_run(queue)
    queued = [queue.store.find_run(run.id).status for run in (first, second)]
    controls.open = True
    queue.look_again()

    assert queued == [RunStatus.QUEUED, RunStatus.QUEUED]
    assert [wait(queue, run).status for run in (first, second)] == [RunStatus.SUCCESS] * 2
