"""One dbt Core process: started, waited for, stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


GUARD = Path(__file__).with_name("process_guard.py")
# dbt needs a moment to cancel its queries in the warehouse; more would exceed what whoever
# stops the server waits for.
SECONDS_TO_STOP = 3.0
# What dbt may know of this machine. Everything else stays out: a project could print it.
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


class DbtProcess(Protocol):
    """What a run needs of a process; tests and faster ways to start dbt provide their own."""

    def wait(self) -> int: ...

    def stop(self) -> None: ...


class GuardedProcess:
    """A process group of its own: the guard, dbt, and whatever dbt starts."""

    def __init__(
        self, command: Sequence[str], folder: Path, process_env: Mapping[str, str], log: Path
    ) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *command],
                cwd=folder,
                env=dict(process_env),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self.last_resort = threading.Timer(SECONDS_TO_STOP, self._signal, [signal.SIGKILL])
        self.last_resort.daemon = True
        self.stopping = threading.Lock()

    def wait(self) -> int:
        code = self.process.wait()
        self.last_resort.cancel()
        if self.process.stdin:
            self.process.stdin.close()
        return code

    def stop(self) -> None:
        """Ask dbt to cancel its queries and end; after three seconds, end it. Answers at once."""
        if not self.stopping.acquire(blocking=False):
            return
        self.last_resort.start()
        self._signal(signal.SIGINT)

    def _signal(self, number: int) -> None:
        # Not yet waited for, so the group's id cannot belong to anybody else.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def inherited_process_env() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}
