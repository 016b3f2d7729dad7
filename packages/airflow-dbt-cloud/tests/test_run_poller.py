"""Everybody on an event loop who waits for a run shares the questions to dbt Cloud."""

import asyncio
import itertools
import time

import pytest

from airflow_dbt_cloud.calls.api_errors import (
    CredentialsRefusedError,
    MissingError,
    RateLimitedError,
    UnavailableError,
)
from airflow_dbt_cloud.one_run.cause import RunKey
from airflow_dbt_cloud.one_run.late_runs import LateRuns
from airflow_dbt_cloud.waiting import pacing, run_poller
from airflow_dbt_cloud.waiting.run_poller import RunPoller


RUNNING, SUCCESS = 3, 10
JOB = 7
LONGEST = 0.05


class DbtCloud:
    """Answers as it is told: which runs have ended, which are gone, and what goes wrong next."""

    def __init__(self):
        self.ended, self.unlisted, self.gone, self.trouble = set(), set(), set(), []
        self.forbidden, self.active = set(), RUNNING
        self.asked, self.asked_alone, self.closed = [], [], 0
        self.younger, self.searched, self.cancelled = [], [], []

    async def runs(self, run_ids):
        self.asked.append(run_ids)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop(0)
        return {each: self.view(each) for each in run_ids if each not in self.unlisted | self.gone}

    async def run(self, run_id):
        self.asked_alone.append(run_id)
        if run_id in self.gone:
            raise MissingError(f"run {run_id}: dbt Cloud answered 404")
        if run_id in self.forbidden:
            raise CredentialsRefusedError(f"run {run_id}: dbt Cloud answered 403")
        return self.view(run_id)

    async def younger_runs(self, run_id):
        self.searched.append(run_id)
        return self.younger

    async def cancel(self, run_id):
        self.cancelled.append(run_id)

    async def close(self):
        self.closed += 1

    def view(self, run_id):
        return {"id": run_id, "status": SUCCESS if run_id in self.ended else self.active}


@pytest.fixture
def dbt_cloud(monkeypatch):
    monkeypatch.setattr(pacing, "SHORTEST", 0.02)
    monkeypatch.setattr(run_poller, "backoff", lambda failures, after=None: after or 0.01)
    return DbtCloud()


def wait(poller, run_id, **more):
    return poller.wait(run_id, created_at=time.time(), longest=LONGEST, **more)


async def wait_until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 # the conditions have no events
            await asyncio.sleep(0.002)


class TestSharing:
    @pytest.mark.parametrize(("waiting", "questions"), [(1, 1), (100, 1), (101, 2), (250, 3)])
    def test_one_question_for_a_hundred(self, dbt_cloud, waiting, questions):
        """However many wait, each round of looks costs one question for every hundred runs."""
        now = [time.time()]

        async def scenario():
            # Time stands still within a round: else those that were asked for first are due again.
            poller = RunPoller(lambda: dbt_cloud, clock=lambda: now[0])
            waits = [asyncio.create_task(wait(poller, each)) for each in range(waiting)]
            await asyncio.sleep(0)
            now[0] += 1
            await wait_until(lambda: sum(map(len, dbt_cloud.asked)) >= waiting)
            first_round = list(dbt_cloud.asked)
            dbt_cloud.ended = set(range(waiting))
            now[0] += 1
            await asyncio.gather(*waits)
            return first_round

        first_round = asyncio.run(scenario())

        assert len(first_round) == questions
        assert sorted(itertools.chain(*first_round)) == list(range(waiting))
        assert max(map(len, first_round)) <= 100
        assert dbt_cloud.asked_alone == []

    def test_who_comes_later_joins_in(self, dbt_cloud):
        """A run that is waited for later is asked for together with the others."""

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            first = asyncio.create_task(wait(poller, 1))
            await wait_until(lambda: len(dbt_cloud.asked) >= 2)
            second = asyncio.create_task(wait(poller, 2))
            await wait_until(lambda: [1, 2] in dbt_cloud.asked)
            dbt_cloud.ended = {1, 2}
            return await asyncio.gather(first, second)

        assert [run["id"] for run in asyncio.run(scenario())] == [1, 2]

    def test_who_leaves_is_not_asked_for(self, dbt_cloud):
        """A wait that is cancelled costs nothing more; with the last one the connection closes."""

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            waits = [asyncio.create_task(wait(poller, each)) for each in (1, 2)]
            await wait_until(lambda: dbt_cloud.asked)
            waits[0].cancel()
            await asyncio.sleep(0)
            dbt_cloud.asked.clear()
            await wait_until(lambda: len(dbt_cloud.asked) >= 2)
            waits[1].cancel()
            await wait_until(lambda: dbt_cloud.closed)

        asyncio.run(scenario())

        assert {run_id for question in dbt_cloud.asked for run_id in question} == {2}

    def test_begins_again_after_everybody_left(self, dbt_cloud):
        """A poller that had nobody left works for who comes next."""

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            dbt_cloud.ended = {1, 2}
            await wait(poller, 1)
            await wait_until(lambda: dbt_cloud.closed)
            return await wait(poller, 2)

        assert asyncio.run(scenario())["id"] == 2


class TestLateRuns:
    KEY = RunKey("0123456789abcdef", 1)

    def late(self, run_id, until=0.0):
        return LateRuns(self.KEY, JOB, run_id, until)

    def run(self, run_id, status=RUNNING):
        trigger = {"cause": f"[{self.KEY}] Airflow: dag a"}
        return {"id": run_id, "status": status, "href": "https://…", "trigger": trigger}

    def test_who_had_an_answer_costs_nothing(self, dbt_cloud):
        """A task whose trigger was answered searches for nothing."""
        dbt_cloud.ended = {1}

        asyncio.run(wait(RunPoller(lambda: dbt_cloud), 1))

        assert dbt_cloud.searched == []

    def test_one_search_for_all(self, dbt_cloud):
        """However many had no answer, they search once in an interval, from the oldest run on."""
        now = [time.time()]

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud, clock=lambda: now[0])
            waits = [
                asyncio.create_task(wait(poller, each, late=self.late(each)))
                for each in range(10, 110)
            ]
            await asyncio.sleep(0)
            for _ in range(3):
                now[0] += 1
                count = len(dbt_cloud.asked)
                await wait_until(lambda: len(dbt_cloud.asked) > count)  # noqa: B023 # at once
            dbt_cloud.ended = set(range(10, 110))
            now[0] += 1
            await asyncio.gather(*waits)

        asyncio.run(scenario())

        assert dbt_cloud.searched == [10]

    def test_cancels_the_younger_once(self, dbt_cloud, monkeypatch):
        """
        What bears the key and goes on is cancelled, once; nothing else is.

        A run of a later generation is none of this one's business: the task has been cleared.
        """
        monkeypatch.setattr(run_poller, "SECONDS_BETWEEN_SEARCHES", 0.0)
        theirs = {**self.run(7), "trigger": {"cause": "a person"}}
        later = {**self.run(9), "trigger": {"cause": "[airflow:0123456789abcdef.12] Airflow"}}
        dbt_cloud.younger = [later, self.run(8, SUCCESS), theirs, self.run(6)]
        told = []

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            waiting = asyncio.create_task(wait(poller, 5, late=self.late(5), tell=told.append))
            await wait_until(lambda: len(dbt_cloud.searched) >= 3)
            dbt_cloud.ended = {5}
            await waiting

        asyncio.run(scenario())

        assert dbt_cloud.cancelled == [6]
        assert ["Cancelling dbt Cloud run 6" in words for words in told] == [True]

    def test_waits_until_nothing_can_come(self, dbt_cloud):
        """A run that has ended is not the end while another may come beside it."""
        dbt_cloud.ended = {1}
        until = time.time() + 0.5

        asyncio.run(wait(RunPoller(lambda: dbt_cloud), 1, late=self.late(1, until)))

        assert time.time() >= until
        assert dbt_cloud.searched


class TestTrouble:
    @pytest.mark.parametrize("error", [RateLimitedError("429"), UnavailableError("503")])
    def test_what_passes_fails_nobody(self, dbt_cloud, error):
        """429 and 5xx are waited out, and everybody who waits is told, in a log of their own."""
        told = {1: [], 2: []}
        dbt_cloud.trouble = [error] * 5
        dbt_cloud.ended = {1, 2}

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            await asyncio.gather(*(wait(poller, each, tell=told[each].append) for each in told))

        asyncio.run(scenario())

        assert [len(words) for words in told.values()] == [5, 5]
        assert str(error) in told[1][0]

    def test_retry_after_is_kept(self, dbt_cloud):
        """dbt Cloud is left alone for as long as it asks with `Retry-After`."""
        error = RateLimitedError("429")
        error.retry_after = 0.3
        dbt_cloud.trouble, dbt_cloud.ended = [error], {1}
        started = time.monotonic()

        asyncio.run(wait(RunPoller(lambda: dbt_cloud), 1))

        assert time.monotonic() - started >= 0.3

    def test_refused_token_fails_at_once(self, dbt_cloud):
        """A token that was revoked is no matter of patience: everybody hears of it at once."""
        dbt_cloud.trouble = [CredentialsRefusedError("401: Invalid token.")]

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            return await asyncio.gather(wait(poller, 1), wait(poller, 2), return_exceptions=True)

        assert {str(error) for error in asyncio.run(scenario())} == {"401: Invalid token."}
        assert len(dbt_cloud.asked) == 1

    def test_deleted_run_fails_its_own_wait_only(self, dbt_cloud):
        """A run that is not listed is asked for alone; if it is gone, the others still go on."""
        dbt_cloud.gone = {1}

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            waits = [asyncio.create_task(wait(poller, each)) for each in (1, 2)]
            with pytest.raises(MissingError):
                await waits[0]
            dbt_cloud.ended = {2}
            return await waits[1]

        assert asyncio.run(scenario())["id"] == 2
        assert dbt_cloud.asked_alone == [1]

    def test_run_that_may_not_be_read(self, dbt_cloud):
        """A token that may not read one run fails the wait for that run, and no other."""
        dbt_cloud.unlisted, dbt_cloud.forbidden = {1}, {1}

        async def scenario():
            poller = RunPoller(lambda: dbt_cloud)
            waits = [asyncio.create_task(wait(poller, each)) for each in (1, 2)]
            with pytest.raises(CredentialsRefusedError):
                await waits[0]
            dbt_cloud.ended = {2}
            return await waits[1]

        assert asyncio.run(scenario())["id"] == 2

    def test_state_that_is_new(self, dbt_cloud):
        """A state that nobody knows yet is one to wait in, below those that end a run."""

        async def play():
            poller = RunPoller(lambda: dbt_cloud)
            dbt_cloud.active = 4
            waiting = asyncio.create_task(wait(poller, 1))
            await wait_until(lambda: len(dbt_cloud.asked) > 1)
            dbt_cloud.ended.add(1)
            return await waiting

        assert asyncio.run(play())["status"] == SUCCESS

    def test_run_that_the_list_does_not_know_yet(self, dbt_cloud):
        """A run that is there, but not yet in the list, is waited for all the same."""
        dbt_cloud.unlisted = dbt_cloud.ended = {1}

        run = asyncio.run(wait(RunPoller(lambda: dbt_cloud), 1))

        assert run["id"] == 1

    def test_surprise_leaves_nobody_waiting(self, dbt_cloud):
        """An error that nobody foresaw reaches everybody, instead of an endless wait."""
        dbt_cloud.trouble = [ZeroDivisionError("surprise")]

        with pytest.raises(ZeroDivisionError, match="surprise"):
            asyncio.run(wait(RunPoller(lambda: dbt_cloud), 1))
