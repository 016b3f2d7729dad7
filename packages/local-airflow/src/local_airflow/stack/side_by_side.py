"""Several questions at the same time, of which no answer is waited for beyond one common moment."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar


Answer = TypeVar("Answer")


def begin(question: Callable[[], Answer]) -> Future[Answer]:
    """
    Ask in a thread that nobody waits for, not even the end of this program.

    A pool's threads are joined then, and one of them may wait for somebody who never answers.
    """
    future: Future[Answer] = Future()

    def ask() -> None:
        try:
            future.set_result(question())
        except BaseException as error:  # noqa: BLE001 # raised again where the answer is taken
            future.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return future


class Deadline:
    """The moment until which answers are waited for, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def answer(self, future: Future[Answer]) -> Answer:
        """Give the answer; raise what the question raised, `TimeoutError` when it is too late."""
        try:
            return future.result(timeout=max(0.0, self._ends_at - time.monotonic()))
        except TimeoutError:
            if future.done():
                raise
            raise TimeoutError(f"no answer within {self.seconds:g} s") from None

    def answer_or(self, future: Future[Answer], otherwise: Answer) -> Answer:
        """Give the answer, or what stands for one that is too late."""
        try:
            return self.answer(future)
        except TimeoutError:
            return otherwise
