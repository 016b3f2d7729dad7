"""The children of a supervisor, for real: programs that are started, and sweeping up after them."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local_airflow.folders import ROOT
from local_airflow.parent_death import die_with_parent
from local_airflow.process_identity import children, descendants, send
from local_airflow.services import Service


class StartedProgram:
    """A program in a process group of its own, whose output goes to a log file."""

    def __init__(self, service: Service, log: Path) -> None:
        supervisor = os.getpid()
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                list(service.command),
                cwd=ROOT,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                # The supervisor has one thread only, so nothing can be locked in the child.
                preexec_fn=lambda: die_with_parent(supervisor, service.stop_signal),  # noqa: PLW1509 # see above
            )
        self.pid = self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def kill_all(self) -> None:
        kill_group(self.pid)


def kill_group(leader: int) -> None:
    # Nobody left in it, or already somebody else's: both mean that nothing is to be done.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def sweep_orphans(known: Sequence[int]) -> None:
    """
    Kill what dead children left behind: whoever became ours by adoption, and all below.

    `known` are the children that live and stay.
    """
    me = os.getpid()
    for pid in children(me):
        if pid in known:
            continue
        for identity in reversed(descendants(pid)):
            send(identity, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
