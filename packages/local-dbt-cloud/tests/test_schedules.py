"""Cron schedules: each tick once, in UTC."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from queue_in_process import add_run, all_runs, wait
from server_process import JOB, OTHER_JOB, job

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs import schedules
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.runs.run_controls import RunControls
from local_dbt_cloud.runs.schedules import OVERTAKEN, Scheduler
from local_dbt_cloud.wire.cron import check_cron, humanized_cron, latest_tick, next_tick


HOURLY = {"schedule": True, "github_webhook": False, "git_provider_webhook": False}


class Held(RunControls):
    """Keeps every run in the queue."""

    def may_start(self, run):
        return False


class Clock:
    """Shows what the test says; it begins at a full hour to come, so that the job is older."""

    def __init__(self):
        # Not the very next one, which may strike before the job is declared.
        soon = datetime.now(UTC) + timedelta(hours=1, minutes=10)
        self.moment = soon.replace(minute=0, second=0, microsecond=0)

    def __call__(self):
        return self.moment

    def move(self, **span):
        self.moment += timedelta(**span)


@pytest.fixture
def clock(monkeypatch):
    """The scheduler's clock."""
    clock = Clock()
    monkeypatch.setattr(schedules, "now", clock)
    return clock


@pytest.fixture
def make_scheduler(make_queue):
    """A scheduler without its thread, and its queue; it looks when the test says."""

    def make(*jobs, held=False, **account):
        jobs = jobs or (job(JOB, "Build", "dbt build", triggers=HOURLY),)
        queue = make_queue(Held() if held else None, *jobs, **account)
        return queue, Scheduler(queue.store, NewRuns(queue.account, queue.store, queue))

    return make


def look(scheduler):
    return scheduler._start_what_is_due()


class TestTicks:
    def test_fires_once(self, make_scheduler, clock):
        """A tick starts one run, however often the scheduler looks; the next tick another."""
        queue, scheduler = make_scheduler()
        for _ in range(3):
            look(scheduler)
        first = all_runs(queue)
        clock.move(minutes=59)
        look(scheduler)
        clock.move(minutes=1)
        look(scheduler)

        (run,) = first
        assert (run.cause_category, run.trigger["cause"]) == ("scheduled", "scheduled")
        assert run.commands == ["dbt build"]
        assert [each.scheduled_for.minute for each in all_runs(queue)] == [0, 0]
        assert wait(queue, run).status is RunStatus.SUCCESS

    def test_sleeps_until_the_next_tick(self, make_scheduler, clock):
        """It looks again when the next tick is due, and now and then, as clocks can be set."""
        _, scheduler = make_scheduler()
        clock.move(minutes=59, seconds=50)

        assert look(scheduler) == 10
        clock.move(minutes=30)
        assert look(scheduler) == schedules.LONGEST_WAIT_SECONDS

    def test_not_again_after_a_restart(self, make_scheduler, clock):
        """The store knows which ticks had their run."""
        queue, scheduler = make_scheduler()
        look(scheduler)
        look(Scheduler(queue.store, scheduler.new_runs))

        assert len(all_runs(queue)) == 1

    @pytest.mark.parametrize(("minutes", "runs"), [(2, 1), (30, 0)])
    def test_ticks_missed_while_the_server_was_down(self, make_scheduler, clock, minutes, runs):
        """A restart makes up for its tick; what a closed laptop missed is not made up for."""
        clock.move(minutes=minutes)
        queue, scheduler = make_scheduler()
        look(scheduler)
        look(scheduler)

        assert len(all_runs(queue)) == runs

    def test_a_new_schedule_waits_for_its_first_tick(self, make_scheduler, clock):
        """A job that changed after a tick is not started for it."""
        clock.moment = datetime.now(UTC)
        queue, scheduler = make_scheduler(
            job(JOB, "Build", "dbt build", triggers=HOURLY, schedule={"cron": "* * * * *"})
        )
        look(scheduler)

        assert all_runs(queue) == []

    def test_schedules_that_are_off(self, make_scheduler, clock):
        """By default nothing is started, and nothing but time passes."""
        queue, scheduler = make_scheduler(job(JOB, "Build", "dbt build"))

        assert look(scheduler) == schedules.LONGEST_WAIT_SECONDS
        assert all_runs(queue) == []

    def test_the_thread(self, make_scheduler, clock):
        """Opened, it looks by itself, also when told that something has changed."""
        queue, scheduler = make_scheduler()
        clock.move(minutes=59)
        scheduler.open()
        clock.move(minutes=1)
        scheduler.look_again()
        run = wait_for_run(queue)
        scheduler.close()

        assert run.cause_category == "scheduled"


def wait_for_run(queue):
    deadline = time.monotonic() + 120
    while not all_runs(queue) and time.monotonic() < deadline:
        time.sleep(0.01)
    return all_runs(queue)[0]


class TestQueue:
    def test_a_newer_run_overtakes_a_waiting_one(self, make_scheduler, clock):
        """Only one scheduled run of a job waits; what a client triggered is left alone."""
        queue, scheduler = make_scheduler(held=True)
        triggered = add_run(queue)
        look(scheduler)
        clock.move(hours=1)
        look(scheduler)
        _, old, new = all_runs(queue)

        assert queue.store.find_run(triggered.id).status is RunStatus.QUEUED
        assert (old.status, old.status_message) == (OVERTAKEN.status, OVERTAKEN.message)
        assert new.status is RunStatus.QUEUED

    def test_a_full_queue_gets_no_scheduled_runs(self, make_scheduler, clock):
        """With as many runs waiting as the account allows, a tick passes."""
        queue, scheduler = make_scheduler(held=True, queue_limit=2)
        for _ in range(3):
            add_run(queue)
        look(scheduler)

        assert [run.cause_category for run in all_runs(queue)] == ["api"] * 3


class TestCron:
    @pytest.mark.parametrize(
        ("cron", "until", "tick"),
        [
            ("0 * * * *", "2026-03-01 10:00:00", "2026-03-01 10:00:00"),
            ("0 * * * *", "2026-03-01 10:00:00.5", "2026-03-01 10:00:00"),
            ("0 * * * *", "2026-03-01 09:59:59.9", "2026-03-01 09:00:00"),
            ("30 6 * * 1-5", "2026-03-01 10:00:00", "2026-02-27 06:30:00"),
            ("0 0 L * *", "2026-03-01 10:00:00", "2026-02-28 00:00:00"),
            ("*/20 * * * *", "2026-03-01 10:19:59", "2026-03-01 10:00:00"),
        ],
    )
    def test_latest_tick(self, cron, until, tick):
        """The last one up to a moment, that moment included."""
        moment = datetime.fromisoformat(until).replace(tzinfo=UTC)

        assert latest_tick(cron, moment) == datetime.fromisoformat(tick).replace(tzinfo=UTC)

    def test_next_tick(self):
        """Strictly later than the moment."""
        moment = datetime(2026, 3, 1, 10, tzinfo=UTC)

        assert next_tick("0 * * * *", moment) == datetime(2026, 3, 1, 11, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("cron", "words"), [("0 * * * *", "Every hour"), ("0 6 * * *", "At 06:00 AM")]
    )
    def test_in_words(self, cron, words):
        """An expression is shown to people as a sentence."""
        assert humanized_cron(cron) == words

    @pytest.mark.parametrize("cron", ["", "0 0 31 2 *", "61 * * * *", "* * * * * *", "x * * * *"])
    def test_what_is_none(self, cron):
        """What is malformed, and what never comes."""
        with pytest.raises(ValueError, match=r"is no cron expression|has not five fields"):
            check_cron(cron)


def test_the_api_shows_the_next_run(fresh_server):
    """`next_run` is a moment in the future for a schedule that is on, and null for others."""
    server = fresh_server(
        job(JOB, "Hourly", "dbt build", triggers=HOURLY), job(OTHER_JOB, "Off", "dbt build")
    )
    before = datetime.now(UTC)
    hourly, off = (server.get(f"v2/jobs/{each}/") for each in (JOB, OTHER_JOB))
    following = datetime.fromisoformat(hourly["next_run"])

    assert before < following <= datetime.now(UTC) + timedelta(hours=1)
    assert (following.minute, following.second) == (0, 0)
    assert hourly["next_run_humanized"].split()[1] in {
        "minute,", "minutes,", "minute", "minutes", "second", "seconds", "hour",
    }  # fmt: skip
    assert (off["next_run"], off["next_run_humanized"]) == (None, None)
