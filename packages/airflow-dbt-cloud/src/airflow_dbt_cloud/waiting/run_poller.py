"""
Looks at dbt Cloud runs for everybody who waits for one on the same event loop.

A triggerer that waits for five hundred runs asks five questions, not five hundred: a question
names up to a hundred runs. Imports nothing of Airflow.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.one_run.late_runs import SECONDS_BETWEEN_SEARCHES, LateRuns
from airflow_dbt_cloud.waiting.pacing import seconds_until_next_look
from dbt_cloud_api.run_status import RunStatus


MOST_IN_ONE_QUESTION = 100
# A run that was looked at a moment ago does not ride along with the question about another.
RIDES_ALONG_AFTER = 0.5

Run = dict[str, Any]


class RunReader(Protocol):
    """What the poller asks dbt Cloud. Everything raises `DbtCloudApiError`."""

    async def runs(self, run_ids: list[int]) -> Mapping[int, Run]: ...
    async def run(self, run_id: int) -> Run: ...
    async def younger_runs(self, run_id: int) -> list[Run]: ...
    async def cancel(self, run_id: int) -> Run: ...
    async def close(self) -> None: ...


@dataclass
class Watched:
    """
    One run: how old it is, how long its job usually takes, and who waits for its end.

    `tell` is called in the waiter's own context, so that its words reach the waiter's own log.
    `late` says which runs may appear beside it; the ones in `ending` have been told to end.
    """

    run_id: int
    created_at: float
    usual: float | None
    longest: float
    ended: asyncio.Future[Run]
    tell: Callable[[str], object]
    context: contextvars.Context
    late: LateRuns | None = None
    ending: set[int] = field(default_factory=set)
    looked_at: float = 0.0
    due_at: float = 0.0

    def looked(self, now: float) -> None:
        self.looked_at = now
        longest = min(self.longest, SECONDS_BETWEEN_SEARCHES) if self.late else self.longest
        pause = seconds_until_next_look(now - self.created_at, self.usual, longest)
        self.due_at = now + pause

    def is_over(self, run: Run, now: float) -> bool:
        """Whether the wait is: a run may have ended before it is certain to be the only one."""
        lingers = self.late is not None and now < self.late.until
        return RunStatus(run["status"]).is_final and not lingers

    def say(self, words: str) -> None:
        self.context.run(self.tell, words)

    def rides_along(self, now: float) -> bool:
        return now - self.looked_at >= (self.due_at - self.looked_at) * RIDES_ALONG_AFTER


class RunPoller:
    """The runs of one connection and account that one event loop waits for."""

    def __init__(
        self, questions: Callable[[], RunReader], clock: Callable[[], float] = time.time
    ) -> None:
        self._open, self._clock = questions, clock
        self._watched: list[Watched] = []
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._searches_at = 0.0

    async def wait(
        self,
        run_id: int,
        *,
        created_at: float,
        longest: float,
        usual: float | None = None,
        tell: Callable[[str], object] = lambda _: None,
        late: LateRuns | None = None,
    ) -> Run:
        """
        Wait for a run to end, and give it; raise what is wrong when waiting cannot cure it.

        Runs that appear beside it, as `late` says, are cancelled.
        """
        ended: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        watched = Watched(run_id, created_at, usual, longest, ended, tell, context, late)
        watched.looked(self._clock())
        self._watched.append(watched)
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._poll(), name="dbt Cloud run poller")
        try:
            return await ended
        finally:
            self._watched.remove(watched)
            self._changed.set()

    async def _poll(self) -> None:
        questions = self._open()
        failures = 0
        try:
            while self._watched:
                batch = await self._next_batch()
                try:
                    await self._look(questions, batch)
                    await self._end_late_runs(questions)
                    failures = 0
                except DbtCloudApiError as error:
                    if not error.is_passing:
                        self._fail(batch, error)
                        continue
                    failures += 1
                    pause = backoff(failures, error.retry_after)
                    self._tell_all(f"{error}. Looking again in {pause:.1f} s.")
                    await asyncio.sleep(pause)
        except Exception as error:  # noqa: BLE001 # whatever it is, nobody may wait for ever
            self._fail(self._watched, error)
        finally:
            self._task = None
            await questions.close()

    async def _next_batch(self) -> list[Watched]:
        """Wait until a run is due, but look up when somebody comes or goes; it may be empty."""
        self._changed.clear()
        waiting = self._waiting()
        pause = waiting[0].due_at - self._clock() if waiting else None
        if pause is None or pause > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
        return self._batch(self._clock())

    def _waiting(self) -> list[Watched]:
        found = [each for each in self._watched if not each.ended.done()]
        return sorted(found, key=lambda each: each.due_at)

    def _batch(self, now: float) -> list[Watched]:
        """Take those that are due; with them, at no further cost, those that soon will be."""
        waiting = self._waiting()
        if not waiting or waiting[0].due_at > now:
            return []
        return [each for each in waiting if each.due_at <= now or each.rides_along(now)][
            :MOST_IN_ONE_QUESTION
        ]

    async def _look(self, questions: RunReader, batch: list[Watched]) -> None:
        if not batch:
            return
        runs = await questions.runs(sorted({each.run_id for each in batch}))
        now = self._clock()
        for each in batch:
            each.looked(now)
            run = runs.get(each.run_id)
            try:
                self._end(each, run if run is not None else await questions.run(each.run_id))
            except DbtCloudApiError as error:
                # Refused for this one run only, which says nothing of the others.
                if error.is_passing:
                    raise
                self._fail([each], error)

    async def _end_late_runs(self, questions: RunReader) -> None:
        """Search once for all whose trigger had no answer; without one of those, ask nothing."""
        now = self._clock()
        looking = [(each, each.late) for each in self._waiting() if each.late is not None]
        if not looking or now < self._searches_at:
            return
        self._searches_at = now + SECONDS_BETWEEN_SEARCHES
        runs = await questions.younger_runs(min(late.run_id for _, late in looking))
        for each, late in looking:
            for run in late.among(runs):
                if RunStatus(run["status"]).is_final or run["id"] in each.ending:
                    continue
                each.say(late.why_cancelled(run))
                await self._cancel(questions, each, run["id"])

    async def _cancel(self, questions: RunReader, watched: Watched, run_id: int) -> None:
        try:
            await questions.cancel(run_id)
        except DbtCloudApiError as error:
            if error.is_passing:
                raise
            watched.say(f"{error}. It may have ended by itself meanwhile.")
        watched.ending.add(run_id)

    def _end(self, watched: Watched, run: Run) -> None:
        if watched.is_over(run, self._clock()) and not watched.ended.done():
            watched.ended.set_result(run)

    def _fail(self, batch: Iterable[Watched], error: Exception) -> None:
        for each in batch:
            if not each.ended.done():
                each.ended.set_exception(error)

    def _tell_all(self, words: str) -> None:
        for each in self._watched:
            each.say(words)
