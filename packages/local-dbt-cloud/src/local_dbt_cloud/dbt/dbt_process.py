"""One dbt Core process: started, waited for, stopped."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dbt_cloud_api.client import is_socks


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


# For the one step that fetches: a login may stand in the address of a proxy.
PROXIES = re.compile(r"(https?|no)_proxy", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Invocation:
    """
    `arguments` is all behind the program's name; what it prints is added to `log`.

    `errors` is for what a program, which is then not dbt, prints to standard error.
    """

    arguments: Sequence[str]
    folder: Path
    process_env: Mapping[str, str]
    log: Path
    errors: Path | None = None


class DbtProcess(Protocol):
    """What a run needs of a process; tests and faster ways to start dbt provide their own."""

    def wait(self) -> int: ...

    def stop(self) -> None: ...


class Dbt(Protocol):
    """A dbt that is installed, and a way to start it."""

    def load(self) -> None:
        """Do what may take a while before the first start."""

    def start(self, invocation: Invocation) -> DbtProcess: ...


class StoppedInTime(ABC):
    """Asked to end by SIGINT, so that dbt cancels its queries; after three seconds, ended."""

    def __init__(self) -> None:
        self.last_resort = threading.Timer(SECONDS_TO_STOP, self.signal, [signal.SIGKILL])
        self.last_resort.daemon = True
        self.stopping = threading.Lock()

    def stop(self) -> None:
        """Answers at once."""
        if not self.stopping.acquire(blocking=False):
            return
        self.last_resort.start()
        self.signal(signal.SIGINT)

    @abstractmethod
    def signal(self, number: int) -> None: ...


class GuardedProcess(StoppedInTime):
    """A process group of its own: the guard, the program, and whatever that starts."""

    def __init__(self, program: Path, invocation: Invocation) -> None:
        super().__init__()
        with (
            invocation.log.open("ab") as output,
            (invocation.errors or invocation.log).open("ab") as errors,
        ):
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(program), *invocation.arguments],
                cwd=invocation.folder,
                env=dict(invocation.process_env),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                process_group=0,
            )

    def wait(self) -> int:
        code = self.process.wait()
        self.last_resort.cancel()
        if self.process.stdin:
            self.process.stdin.close()
        return code

    def signal(self, number: int) -> None:
        # Not yet waited for, so the group's id cannot belong to anybody else.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


@dataclass(frozen=True, slots=True)
class Program:
    """A program on its own. dbt, started so, is loaded anew for every step: about two seconds."""

    executable: Path

    def load(self) -> None:
        """Nothing can be done before."""

    def start(self, invocation: Invocation) -> DbtProcess:
        return GuardedProcess(self.executable, invocation)


def proxies_for_packages() -> dict[str, str]:
    """Give the proxies that `dbt deps` can use, which are none that speak SOCKS."""
    found = {name: value for name, value in os.environ.items() if PROXIES.fullmatch(name)}
    return {name: value for name, value in found.items() if not is_socks(value)}


def inherited_process_env() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}
