"""The programs that a run starts, one after the other: git, dbt, and what installs it."""

import signal
import threading
from pathlib import Path

from local_dbt_cloud.dbt.dbt_installations import (
    DbtInstallations,
    Installation,
    NoSuchDbtError,
    Wanted,
    find_uv,
)
from local_dbt_cloud.dbt.dbt_process import Dbt, DbtProcess, Invocation, Program
from local_dbt_cloud.dbt.one_at_a_time import one_at_a_time
from local_dbt_cloud.runs.run_failure import first_error_line, shortened
from local_dbt_cloud.runs.run_folder import read_log
from local_dbt_cloud.runs.run_preparation import Log, PreparationError


# What ends a program that does not want to end: the kernel where memory ran out, or a person.
FATAL = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)


class KilledError(Exception):
    """A signal has ended dbt, and it did not come from here: the project did nothing wrong."""


class RunPrograms:
    """Once `ended` is set, no program starts any more; `stop` is for the one that runs."""

    def __init__(self, installations: DbtInstallations, ended: threading.Event) -> None:
        self.installations, self.ended = installations, ended
        self.dbt: Dbt = installations.own
        self.lock = threading.Lock()
        self.process: DbtProcess | None = None

    def stop(self) -> None:
        with self.lock:
            if self.process is not None:
                self.process.stop()

    def run_dbt(self, invocation: Invocation) -> bool:
        """Answer whether it succeeded; raise `KilledError` when somebody has killed it."""
        code = self._run(self.dbt, invocation)
        for number in FATAL:
            # The guard of the process says 256 less; when it was killed as well, nobody does.
            if code in {-number, 256 - number} and not self.ended.is_set():
                raise KilledError(f"dbt was ended by {number.name}, which this server has not sent")
        return code == 0

    def run_git(self, invocation: Invocation, seconds: float) -> bool:
        """Answer whether it succeeded, and in that time."""
        too_late = threading.Timer(seconds, self.stop)
        too_late.daemon = True
        too_late.start()
        try:
            return self._run(Program(Path("git")), invocation) == 0
        finally:
            too_late.cancel()

    def choose_dbt(self, wanted: Wanted, log: Log, log_file: Path) -> None:
        """
        Install what is not there yet; programs write to the log's file.

        Raise `PreparationError` when it cannot be had.
        """
        try:
            installation = self.installations.find(wanted)
            if installation is None:
                return
            self.dbt = installation.dbt
            with one_at_a_time(installation.lock, self.ended) as is_our_turn:
                if is_our_turn and not installation.is_ready:
                    self._install(installation, log, log_file)
        except NoSuchDbtError as error:
            raise PreparationError(str(error)) from error

    def _install(self, installation: Installation, log: Log, log_file: Path) -> None:
        names = " and ".join(installation.requirements)
        log(f"Installing {names}")
        uv = Program(find_uv())
        for invocation in installation.commands(self.installations.python, log_file):
            if self._run(uv, invocation) != 0:
                reason = shortened(first_error_line(read_log(log_file)))
                raise PreparationError(f"{names} could not be installed: {reason}")
        installation.finish()

    def _run(self, program: Dbt, invocation: Invocation) -> int | None:
        """The exit code; None when the run ended before the program could start."""
        program.load()
        with self.lock:
            if self.ended.is_set():
                return None
            process = self.process = program.start(invocation)
        try:
            return process.wait()
        finally:
            with self.lock:
                self.process = None
