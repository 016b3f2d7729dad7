"""
Ctrl-C, and what means the same: SIGTERM, and SIGHUP of a terminal that is closed.

Each raises `KeyboardInterrupt`, so that whatever was begun is ended on the way out.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import subprocess
    from types import FrameType


INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_END = 15.0


def end_like_ctrl_c() -> None:
    """Let every one of these signals interrupt; one that is ignored, as by nohup, stays ignored."""
    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: "FrameType | None") -> None:
    raise KeyboardInterrupt(number)


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Give what a shell gives for a program that the signal ended."""
    return 128 + (interruption.args[0] if interruption.args else signal.SIGINT)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a second, impatient Ctrl-C not leave half of everything running."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_group(begun: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """
    End a process that leads a group of its own, and return when all of the group has ended.

    A program that only hands over to another, as docker does to Compose, would leave that running.
    """
    deadline = time.monotonic() + SECONDS_TO_END
    with suppress(ProcessLookupError):
        os.killpg(begun.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            # Asked first, so that itself is not taken for somebody who is left.
            begun.poll()
            os.killpg(begun.pid, 0)
            time.sleep(0.05)
        os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
