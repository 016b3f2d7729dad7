"""What every way to run the stack can do. `native_mode` is one way, `container_mode` the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.user_error import UserError
from local_airflow.stack.settings import StackSettings


@dataclass(frozen=True, slots=True)
class Part:
    """
    One process or container of the stack. `place` is its process id or its container's name.

    Of one that is not healthy, `why` says what is known of the reason, `remedy` what to type.
    """

    name: str
    state: str
    place: str
    restarts: int
    is_healthy: bool
    why: str = ""
    remedy: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with it, in one line."""
        why = f" ({one_line(self.why).rstrip('.')})" if self.why else ""
        return f"{self.name}: {self.state}{why}; {self.remedy}"


class Mode(Protocol):
    """
    One way to run the stack that `.env` describes.

    `settings` is what a command on this machine needs to talk to the stack; in containers the
    secrets are known only once the stack has been started.
    """

    name: str

    @property
    def settings(self) -> StackSettings: ...

    def install(self) -> None:
        """Make ready what a start needs, without starting anything."""

    def is_running(self) -> bool: ...

    def how_it_ended(self) -> str:
        """Say when and how what ran has ended, if no command ended it; else empty."""

    def stop_previous(self) -> None:
        """End what an earlier start left, as far as this start cannot go on from it."""

    def own_ports(self) -> frozenset[int]:
        """List the ports that are taken by this very stack."""

    def start(self) -> None:
        """Start everything and return before it is ready."""

    def stop(self) -> bool:
        """End everything; tell whether there was anything to end."""

    def parts(self) -> list[Part]: ...

    def is_prepared(self) -> bool:
        """Tell whether the databases are there, and January is in the warehouse."""

    def recovery(self) -> str:
        """Say what PostgreSQL is at after a crash; empty when it is not recovering."""

    def local_dbt_cloud_state(self) -> str:
        """Name the state folder by which the local dbt Cloud of this stack is recognised."""

    def own_facts(self) -> list[tuple[str, str, Callable[[], bool]]]:
        """List what else must be true in this mode: words, the guilty part, the question."""

    def raise_if_failed(self) -> None:
        """Raise `UserError` that names the guilty part, when the start cannot succeed any more."""

    def last_lines(self, part: str, count: int = 12) -> str: ...

    def keep_logs(self) -> None:
        """Bring the end of every log into the folder of logs, where it is not there already."""

    def logs(self, part: str | None, lines: int, *, following: bool) -> int: ...

    def restart(self, part: str) -> None:
        """End one part, so that it starts again."""

    def run_airflow(self, command: Sequence[str]) -> int:
        """Run a program with everything that Airflow's components have; give its exit code."""

    def run_ingestion(self, arguments: Sequence[str]) -> int:
        """Run `examples/loader` against the warehouse; give its exit code."""

    def psql(self, database: str, arguments: Sequence[str]) -> int:
        """Open a database in psql; give its exit code."""

    def log_in(self, seconds: float) -> None:
        """
        Open a new connection to Airflow's database, and close it: the one proof that it takes any.

        Raises `OSError`, with PostgreSQL's own words where it has some, when there is none to be
        had in so many seconds. Those that are open go on in a server that is stopping or frozen.
        """

    def dump_database(self, database: str, file: Path) -> None: ...

    def archive_state(self, file: Path) -> None:
        """Keep what the local dbt Cloud remembers."""

    def bring_back(self, folder: Path) -> None:
        """Stop everything and replace its data by those of a snapshot."""

    def delete_data(self) -> None: ...

    def describe_data(self) -> str:
        """Name what `delete_data` would delete."""


def not_running(mode: Mode) -> UserError:
    """Say that nothing runs; and why, when nobody wanted it."""
    ended = mode.how_it_ended()
    return UserError("nothing is running", ended or "Nobody has started it.", ("make up",))
