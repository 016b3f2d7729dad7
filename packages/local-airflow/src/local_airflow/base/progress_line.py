"""
What a person sees while something takes its time: one line, drawn again and again, with seconds.

The standard library only, because the first thing that takes its time is the installation of
everything else (docs/decisions/0022). In a pipe nothing is drawn; lasting lines are printed as
they are. The cursor stays visible and nothing of the terminal is changed, so whatever ends this
process leaves a sane one.
"""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self, TextIO

from local_airflow.base.terminal import is_looked_at, painted


SECONDS_BETWEEN_FRAMES = 0.1
FRAMES, PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
ERASE = "\r\x1b[2K"


class ProgressLine(AbstractContextManager["ProgressLine"]):
    """
    The line at the bottom, while the block of the `with` runs.

    Both `what` and `detail` may be changed meanwhile; seconds count from the beginning.
    """

    def __init__(
        self,
        what: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what = what
        self.detail = ""
        self.stream = stream or sys.stdout
        self.clock = clock
        self.started = clock()
        self.is_drawn = is_looked_at(self.stream)
        self._frames = FRAMES if _can_show(FRAMES, self.stream) else PLAIN_FRAMES
        self._frame = 0
        self._end = Event()
        self._lock = Lock()
        self._painter = Thread(target=self._paint, daemon=True)

    @property
    def seconds(self) -> float:
        return self.clock() - self.started

    def __enter__(self) -> Self:
        if self.is_drawn:
            self._painter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_drawn:
            self._end.set()
            self._painter.join()
            self._write(ERASE)

    def tick(self, what: str) -> None:
        """Leave a line above for something that is done, with the seconds that it took."""
        # The mark takes the place of the blank that begins the line in a pipe.
        done = "✓" if self.is_drawn and _can_show("✓", self.stream) else " "
        mark = painted(done, "green", self.stream)
        self.say(f"{mark} {self.seconds:5.1f} s  {what}")

    def say(self, line: str) -> None:
        """Leave a line above."""
        self._write(f"{ERASE if self.is_drawn else ''}{line}\n")

    def _paint(self) -> None:
        while not self._end.wait(SECONDS_BETWEEN_FRAMES):
            self._frame += 1
            self._write(f"{ERASE}{self._line()}")

    def _line(self) -> str:
        sign = self._frames[self._frame % len(self._frames)]
        detail = f"  {self.detail}" if self.detail else ""
        text = f"{sign} {self.seconds:5.1f} s  {self.what} …{detail}"
        # One column less: a full line would be broken by some terminals, and then not be erased.
        return text[: shutil.get_terminal_size().columns - 1]

    def _write(self, text: str) -> None:
        with self._lock:
            self.stream.write(text)
            self.stream.flush()


def _can_show(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
