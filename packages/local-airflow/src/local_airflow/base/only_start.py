"""One start at a time: a second would end what the first has begun, and the first the second's."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import state_folders


@contextmanager
def only_start() -> Iterator[None]:
    """Refuse a start while another one of this stack is under way."""
    folder = state_folders().root
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The kernel forgets the lock when its holder dies, however it dies.
    with (folder / "start.lock").open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another make up is at work",
                "It starts this very stack, perhaps in another terminal.",
                (
                    "To wait until it is done:   make wait-ready",
                    "To end it:   Ctrl-C in its terminal",
                ),
            ) from None
        yield
