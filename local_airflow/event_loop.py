"""Lets a supervisor run until it is told to stop: awake at once for a death or a signal."""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress

from local_airflow.supervisor import Supervisor


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class SignalPipe:
    """Turns signals into something that can be waited for with a time limit."""

    def __init__(self) -> None:
        self.stop = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._told_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float) -> None:
        select.select([self._read], [], [], seconds)
        with suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass

    def close(self) -> None:
        """Give a forked child its own signals back: it must not wake its parent."""
        signal.set_wakeup_fd(-1)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)

    def _told_to_stop(self, *_: object) -> None:
        self.stop = True


def supervise(supervisor: Supervisor, signals: SignalPipe, each_time: Callable[[], None]) -> None:
    """Run until a signal says stop, then stop everything."""
    try:
        while not signals.stop:
            seconds = supervisor.step()
            each_time()
            signals.wait(seconds)
    finally:
        supervisor.stop()
