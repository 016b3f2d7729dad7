"""What only one run may do at a time: fetch a repository, install an adapter."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


SECONDS_TO_LOOK = 0.2


@contextmanager
def one_at_a_time(lock: threading.Lock, ended: threading.Event) -> Iterator[bool]:
    """Wait for the lock; answer whether the run has it, and not too late."""
    while not lock.acquire(timeout=SECONDS_TO_LOOK):
        if ended.is_set():
            yield False
            return
    try:
        yield not ended.is_set()
    finally:
        lock.release()
