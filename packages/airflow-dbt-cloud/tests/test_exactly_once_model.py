"""
Exactly one run counts, in whatever order things go wrong.

hypothesis makes up histories of one task: tries whose triggers are answered, lost or held up,
processes that die between any two steps, runs that end, Clears. dbt Cloud, Airflow's store and the
clock are played; what decides is the package's own.
"""

import contextlib
import logging
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_dbt_cloud.calls.api_errors import (
    AnswerLostError,
    MissingError,
    RequestRefusedError,
)
from airflow_dbt_cloud.one_run import task_memory
from airflow_dbt_cloud.one_run.cause import cause_of
from airflow_dbt_cloud.one_run.late_runs import LateRunSearch
from airflow_dbt_cloud.one_run.one_run import OneRun, RunRequest, TriggerLostError
from airflow_dbt_cloud.one_run.task_memory import Place, TaskAttempt, TaskMemory


RUNNING, SUCCESS, ERROR, CANCELLED = 3, 10, 20, 30
JOB, RETRIES, TIME_LIMIT = 7, 1000, 30
# After this nothing is delivered any more that was given up.
LONGEST_DELIVERY = 100
SELDOM_A_STEP = st.none() | st.none() | st.integers(1, 14)
QUIET = logging.getLogger("quiet")
QUIET.disabled = True


class KilledError(BaseException):
    """The process dies here: nothing may catch this."""


class World:
    """The clock, and what is planned for the next steps of the task: it dies, or mail comes."""

    def __init__(self):
        self.now, self.steps, self.dies_at, self.delivers_at = 1e9, 0, None, None
        self.dbt_cloud = DbtCloud(self)

    def plan(self, dies_at, delivers_at):
        self.steps, self.dies_at, self.delivers_at = 0, dies_at, delivers_at

    def step(self):
        self.steps += 1
        if self.steps == self.delivers_at:
            self.dbt_cloud.deliver()
        if self.steps == self.dies_at:
            raise KilledError

    def sleep(self, seconds):
        self.now += seconds
        self.step()


class DbtCloud:
    """The runs of one job, as `RunsApi` gives them, and the requests that the network holds."""

    seconds_ahead = 0.0

    def __init__(self, world):
        self.world, self.runs, self.held, self.faults = world, [], [], []
        self.has_delivered_late = False

    def run(self, run_id, *_):
        self.world.step()
        for run in self.runs:
            if run["id"] == run_id:
                return dict(run)
        raise MissingError("404")

    def newest_runs(self, offset, **_):
        self.world.step()
        return [dict(run) for run in reversed(self.runs)][offset : offset + 100]

    def trigger(self, _job_id, body):
        return self.request(lambda: self.create(body["cause"]))

    def retry(self, run_id):
        return self.request(lambda: self.resume(run_id))

    def cancel(self, run_id):
        self.world.step()
        run = self.runs[run_id - 1]
        if run["status"] != RUNNING:
            raise RequestRefusedError("It has ended.")
        run["status"] = CANCELLED
        return dict(run)

    def request(self, act):
        fault = self.faults.pop(0) if self.faults else "answered"
        self.world.step()
        run = None
        if fault in {"answered", "lost"}:
            run = act()
        elif fault == "held":
            self.held.append((self.world.now, act))
        self.world.step()
        if fault == "answered":
            return run
        raise AnswerLostError(fault)

    def create(self, cause, retrying=None):
        run_id = len(self.runs) + 1
        created_at = datetime.fromtimestamp(self.world.now, UTC).isoformat()
        self.runs.append(
            {
                "id": run_id,
                "status": RUNNING,
                "status_humanized": "Running",
                "href": f"https://cloud/runs/{run_id}/",
                "job_definition_id": JOB,
                "created_at": created_at,
                "can_retry": True,
                "retrying_run_id": retrying,
                "trigger": {"cause": cause},
            }
        )
        return dict(self.runs[-1])

    def resume(self, run_id):
        if run_id != len(self.runs) or self.runs[-1]["status"] != ERROR:
            raise RequestRefusedError("RETRY_NOT_LATEST_RUN")
        return self.create("dbt Cloud's own", run_id)

    def deliver(self):
        """Carry out what was given up longest ago, unless the network has lost it meanwhile."""
        if not self.held:
            return
        given_up, act = self.held.pop(0)
        if self.world.now - given_up > LONGEST_DELIVERY:
            return
        self.has_delivered_late = True
        with contextlib.suppress(RequestRefusedError):
            act()

    @property
    def active(self):
        return [run["id"] for run in self.runs if run["status"] == RUNNING]


class Store(dict):
    """Airflow's store of the task, which a process may die before or after it writes."""

    def __init__(self, world):
        super().__init__()
        self.world = world

    def set(self, key, value):
        self.world.step()
        self[key] = value
        self.world.step()


class OneTask(RuleBasedStateMachine):
    """One task instance: no try of it is at work, or one waits for its run, or it is green."""

    @initialize()
    def begin(self):
        self.world = World()
        self.dbt_cloud, self.store = self.world.dbt_cloud, Store(self.world)
        self.tries, self.max_tries, self.clears = 0, RETRIES, 0
        self.since = datetime.fromtimestamp(self.world.now, UTC).isoformat()
        self.first_of_generation = 1
        self.run_id, self.search, self.is_green = None, None, False
        task_memory.time = SimpleNamespace(time=lambda: self.world.now)

    @precondition(lambda self: self.run_id is None and not self.is_green)
    @rule(
        faults=st.lists(st.sampled_from(["held", "dropped", "lost", "answered"]), max_size=3),
        dies_at=SELDOM_A_STEP,
        delivers_at=SELDOM_A_STEP,
    )
    def another_try(self, faults, dies_at, delivers_at):
        """From the first look to the wait, if nothing stops it."""
        self.tries += 1
        self.dbt_cloud.faults = list(faults)
        self.world.plan(dies_at, delivers_at)
        attempt = TaskAttempt(
            ("flights", "manual", "build", "-1"),
            self.tries,
            self.max_tries,
            RETRIES,
            self.clears,
            self.since,
        )
        try:
            memory = TaskMemory.open(self.store, attempt, Place("dbt_cloud", None, JOB))
            one_run = OneRun(
                self.dbt_cloud,
                memory,
                RunRequest(JOB, {}, resume=True),
                cause_of(memory.key, "words"),
                QUIET,
                sleep=self.world.sleep,
            )
            run = one_run.find_or_start()
        except (KilledError, TriggerLostError):
            return
        finally:
            self.world.plan(None, None)
        self.run_id = run["id"]
        late = one_run.late_runs(run, TIME_LIMIT)
        if late is not None:
            clock = lambda: self.world.now  # noqa: E731 # said once
            self.search = LateRunSearch(self.dbt_cloud, late, QUIET, clock)

    @precondition(lambda self: self.dbt_cloud.active)
    @rule(which=st.integers(0, 3), status=st.sampled_from([SUCCESS, SUCCESS, ERROR, CANCELLED]))
    def run_ends(self, which, status):
        """By itself, or by a person in dbt Cloud."""
        active = self.dbt_cloud.active
        self.dbt_cloud.runs[active[which % len(active)] - 1]["status"] = status

    @precondition(lambda self: self.dbt_cloud.held)
    @rule()
    def network_delivers(self):
        """While no try is at work, while one waits, or when the task is green."""
        self.dbt_cloud.deliver()

    @precondition(lambda self: self.run_id is not None)
    @rule()
    def look(self):
        """The task looks after its run, and ends with it when nothing else can come."""
        self.world.now += 10
        if self.search is not None:
            self.search.look()
        assert set(self.dbt_cloud.active) <= {self.run_id}
        own = self.dbt_cloud.runs[self.run_id - 1]
        lingers = self.search is not None and self.world.now < self.search.late.until
        if own["status"] != RUNNING and not lingers:
            self.end(own)

    def end(self, own):
        named = [run["id"] for run in self.search.settle()] if self.search else []
        self.run_id = self.search = None
        if own["status"] != SUCCESS:
            return
        self.is_green = True
        generation = self.dbt_cloud.runs[self.first_of_generation - 1 :]
        green = [run["id"] for run in generation if run["status"] == SUCCESS]
        assert self.dbt_cloud.active == []
        assert green[0] == own["id"]
        assert set(green[1:]) <= set(named)

    @precondition(lambda self: self.run_id is not None)
    @rule()
    def process_dies(self):
        """The next try is a retry."""
        self.run_id = self.search = None

    @precondition(lambda self: self.tries > 0)
    @rule()
    def clear(self):
        """A person clears the task: what it waits for is cancelled, as `on_kill` does."""
        if self.run_id in self.dbt_cloud.active:
            self.dbt_cloud.cancel(self.run_id)
        self.max_tries = self.tries + RETRIES
        self.clears += 1
        self.run_id, self.search, self.is_green = None, None, False
        self.first_of_generation = len(self.dbt_cloud.runs) + 1

    @invariant()
    def never_two_at_once(self):
        """Unless the network has delivered something that was given up."""
        assert self.dbt_cloud.has_delivered_late or len(self.dbt_cloud.active) <= 1

    @invariant()
    def nothing_comes_after_the_end(self):
        """A green task has waited until no request of its own could start another run."""
        assert not (self.is_green and self.dbt_cloud.active)

    def teardown(self):
        task_memory.time = time


@pytest.mark.parametrize(("histories", "steps"), [(400, 8), (100, 40)])
def test_exactly_one_run_counts(histories, steps):
    """
    Whatever happens, a green task has one green run, and every other is ended or named.

    While it waits, no other goes on for longer than until its next look; and two are never at work
    at once unless the network delivers a request after it was given up.
    """
    OneTask.TestCase.settings = settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
    )
    OneTask.TestCase("runTest").runTest()


@pytest.mark.parametrize("looks", range(12))
def test_job_that_is_quicker_than_the_network(looks):
    """A task whose run has ended waits for the trigger that was given up, whenever it arrives."""
    task = OneTask()
    task.begin()
    try:
        task.another_try(faults=["held"], dies_at=None, delivers_at=None)
        task.run_ends(which=0, status=SUCCESS)
        for _ in range(looks):
            if task.run_id is not None:
                task.look()
        task.network_delivers()
        while task.run_id is not None:
            task.look()
        task.nothing_comes_after_the_end()
    finally:
        task.teardown()
