"""A dbt that is loaded once: every step is a fork of a process that waits with all imports done."""

import contextlib
import json
import logging
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from local_dbt_cloud.dbt.dbt_process import (
    DbtProcess,
    Invocation,
    Program,
    StoppedInTime,
    inherited_process_env,
)


LOG = logging.getLogger("local_dbt_cloud")
FORKS = Path(__file__).with_name("dbt_forks.py")
SECONDS_TO_LOAD = 120


class ForkedProcess(StoppedInTime):
    """The server's end of a step: a guard holds the other end, and ends the step when this goes."""

    def __init__(self, step: socket.socket) -> None:
        super().__init__()
        self.step = step

    def wait(self) -> int:
        code = b""
        with contextlib.suppress(OSError), self.step:
            while part := self.step.recv(16):
                code += part
        self.last_resort.cancel()
        return int(code) if code else -signal.SIGKILL

    def signal(self, number: int) -> None:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self.step.sendall(f"{int(number)}\n".encode())


class WarmDbt:
    """
    Starts dbt by forking where that is safe, which is on Linux, and plainly where not.

    The process that is forked is loaded by `load`, or else for the first step; when it dies, the
    next step loads another.
    """

    def __init__(
        self, executable: Path, adapters: tuple[str, ...], *, may_fork: bool = True
    ) -> None:
        self.python = executable.with_name("python")
        self.adapters = adapters
        self.plain = Program(executable)
        self.lock = threading.Lock()
        self.forks: socket.socket | None = None
        self.loading: socket.socket | None = None
        self.can_fork = may_fork and sys.platform == "linux"

    def load(self) -> None:
        """Return when steps can start, by whichever way."""
        with self.lock:
            if self.can_fork and self.forks is None:
                self.forks = self._load()
                self.can_fork = self.forks is not None

    def start(self, invocation: Invocation) -> DbtProcess:
        for _ in range(2):
            self.load()
            forked = self._fork(invocation)
            if forked is not None:
                return forked
        return self.plain.start(invocation)

    def close(self) -> None:
        """Let the loaded process end, also while it is loading; steps that run go on."""
        self.can_fork = False
        if self.loading is not None:
            with contextlib.suppress(OSError):
                self.loading.shutdown(socket.SHUT_RDWR)

    def _fork(self, invocation: Invocation) -> ForkedProcess | None:
        """None when there is nothing to fork from."""
        request = {
            "arguments": list(invocation.arguments),
            "folder": str(invocation.folder),
            "process_env": dict(invocation.process_env),
            "log": str(invocation.log),
        }
        ours, theirs = socket.socketpair()
        with self.lock, theirs:
            try:
                if self.forks is not None:
                    socket.send_fds(self.forks, [b"."], [theirs.fileno()])
                    theirs.close()
                    ours.sendall(json.dumps(request).encode() + b"\n")
                    # The fork has begun; without that, the request went to a dying process.
                    if ours.recv(1):
                        return ForkedProcess(ours)
            except OSError:
                pass
            if self.forks is not None:
                LOG.warning("the process that keeps dbt loaded is gone; starting another")
                self.forks = None
        ours.close()
        return None

    def _load(self) -> socket.socket | None:
        """Answer the socket to a process that has loaded dbt; None when that cannot be forked."""
        if not self.python.exists():  # a program on its own, not one of a Python environment
            return None
        ours, theirs = socket.socketpair()
        self.loading = ours
        with theirs:
            # Isolated: neither this package's folder nor anybody's PYTHONPATH comes before dbt.
            process = subprocess.Popen(
                [str(self.python), "-I", "-u", "-X", "utf8", str(FORKS), *self.adapters],
                env=inherited_process_env(),
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        # It ends with the socket; somebody must notice, or its process id stays taken.
        threading.Thread(target=self._wait_for, args=(process,), daemon=True).start()
        ready, _, _ = select.select([ours], [], [], SECONDS_TO_LOAD)
        if ready and ours.recv(16):
            return ours
        ours.close()
        return None

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        said, _ = process.communicate()
        if process.returncode:
            LOG.warning(
                "the process that keeps dbt loaded ended with %s: %s",
                process.returncode,
                said.decode(errors="replace").strip() or "it said nothing",
            )
