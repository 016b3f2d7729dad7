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
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.backoff import backoff
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
    async def close(self) -> None: ...


@dataclass
class Watched:
    """
    One run: how old it is, how long its job usually takes, and who waits for its end.

    `tell` is called in the waiter's own context, so that its words reach the waiter's own log.
    """

    run_id: int
    created_at: float
    usual: float | None
    longest: float
    ended: asyncio.Future[Run]
    tell: Callable[[str], object]
    context: contextvars.Context
    looked_at: float = 0.0
    due_at: float = 0.0

    def looked(self, now: float) -> None:
        self.looked_at = now
        pause = seconds_until_next_look(now - self.created_at, self.usual, self.longest)
        self.due_at = now + pause

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

    async def wait(
        self,
        run_id: int,
        *,
        created_at: float,
        longest: float,
        usual: float | None = None,
        tell: Callable[[str], object] = lambda _: None,
    ) -> Run:
        """Wait for a run to end, and give it; raise what is wrong when waiting cannot cure it."""
        ended: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        watched = Watched(run_id, created_at, usual, longest, ended, tell, context)
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

    def _end(self, watched: Watched, run: Run) -> None:
        if RunStatus(run["status"]).is_final and not watched.ended.done():
            watched.ended.set_result(run)

    def _fail(self, batch: Iterable[Watched], error: Exception) -> None:
        for each in batch:
            if not each.ended.done():
                each.ended.set_exception(error)

    def _tell_all(self, words: str) -> None:
        for each in self._watched:
            each.context.run(each.tell, words)
