"""The seam through which runs are held or decided without dbt."""

import sys
import threading
import time

import pytest

from local_dbt_cloud.account import Account
from local_dbt_cloud.declared_jobs import DeclaredFile
from local_dbt_cloud.declared_resources import list_declared
from local_dbt_cloud.run_controls import RunControls, StandIn
from local_dbt_cloud.run_folder import RunFolder
from local_dbt_cloud.run_plan import CANCELLED, End, timed_out
from local_dbt_cloud.run_queue import RunQueue
from local_dbt_cloud.run_status import RunStatus
from local_dbt_cloud.schemas import TRIGGER_FIELDS
from local_dbt_cloud.settings import Settings, Warehouse
from local_dbt_cloud.store import Store
from tests.local_dbt_cloud.server_process import (
    ENVIRONMENT,
    JOB,
    PROJECT,
    STAND_IN,
    declare,
    job,
    write_project,
)


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


@pytest.fixture
def make_queue(tmp_path):
    """A queue in this process, without a server, whose dbt is the stand-in."""
    queues = []

    def make(controls):
        write_project(tmp_path)
        dbt = tmp_path / "dbt"
        dbt.write_text(STAND_IN.format(python=sys.executable, folder=tmp_path))
        dbt.chmod(0o755)
        warehouse = Warehouse("127.0.0.1", 1, "warehouse", "secret", "warehouse")
        settings = Settings(
            listen_on="127.0.0.1",
            port=1,
            url="https://localhost:1",
            state=tmp_path / "state",
            tls=tmp_path / "tls",
            token="a token",
            dbt=dbt,
            jobs=tmp_path / "dbt_cloud_jobs.yml",
            cause_required=True,
            warehouse=warehouse,
        )
        declared = DeclaredFile.model_validate(declare(job(JOB, "Build", "dbt build")))
        store = Store(settings.state / "dbt_cloud.sqlite")
        store.declare(list_declared(declared, tmp_path))
        account = Account(declared.local_dbt_cloud, store, warehouse)
        queue = RunQueue(settings, account, store, controls)
        queue.open()
        queues.append(queue)
        return queue

    yield make
    for queue in queues:
        queue.close()
        queue.store.close()


def add_run(queue, **trigger):
    return queue.add(
        job_id=JOB,
        project_id=PROJECT,
        environment_id=ENVIRONMENT,
        dbt_version="1.11.0-latest",
        trigger=dict.fromkeys(TRIGGER_FIELDS) | {"cause": "a test"} | trigger,
        cause_category="api",
        commands=["dbt build"],
    )


def wait(queue, run, until=lambda run: run.status.is_final):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = queue.store.find_run(run.id)
        if until(found):
            return found
        time.sleep(0.01)
    pytest.fail(f"run is {found}")


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
        assert ended.wait(10)
        told.set()

    queue = make_queue(Script({"dbt build": hold}))
    run = add_run(queue)
    assert reached.wait(10)
    queue.cancel(run)

    assert told.wait(10)
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
