"""What is worth knowing of a failed task, as XCom and as lines for people. No Airflow inside."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from dbt_cloud_api.dbt_commands import command_of
from dbt_cloud_api.plain_text import one_line, printable


DBT_NODE, DBT_PROJECT, DBT_CLOUD = "dbt node", "dbt project", "dbt Cloud"
CREDENTIALS, NETWORK, AIRFLOW = "credentials", "network", "Airflow"

# A log and a message are read by people, and an XCom is read whole: three thousand dbt tests that
# failed for one reason must fit into each.
MOST_NAMES = 10
MOST_NODES, MOST_LINES_OF_A_NODE = 10, 15
MOST_IN_XCOM = 100


@dataclass(frozen=True, slots=True)
class FailedNode:
    """A node that failed, where to mend it, and what did not run because of it."""

    unique_id: str
    kind: str
    name: str
    message: str
    file: str
    owner: str
    skipped: tuple[str, ...]

    def lines(self) -> list[str]:
        where = ", ".join(filter(None, (self.file, f"owner {self.owner or 'unknown'}")))
        message = [line for line in self.message.splitlines() if line.strip()]
        left_out = len(message) - MOST_LINES_OF_A_NODE
        lines = [f"  {self.kind} {self.name} ({where})"]
        lines += [f"      {line}" for line in message[:MOST_LINES_OF_A_NODE]]
        if left_out > 0:
            lines.append(f"      … {left_out} more lines")
        if self.skipped:
            lines.append(f"      skipped because of it: {_names(self.skipped)}")
        return lines


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Everything worth knowing of one failed task; `asdict` makes the XCom of it.

    `log` is the end of the failed step's own output, where no node is to blame. `warned` and
    `stale` (sources without fresh data) are not the reason, and stand apart, unless the step that
    failed is the one that looked at them.
    """

    side: str
    headline: str
    next_step: str
    run_id: int | None = None
    link: str | None = None
    step: str | None = None
    failed: tuple[FailedNode, ...] = ()
    warned: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    log: tuple[str, ...] = ()

    def as_xcom(self) -> dict[str, Any]:
        """Give it as JSON can hold it; of very many nodes the first, and how many there are."""
        plain: dict[str, Any] = _plain(asdict(replace(self, failed=self.failed[:MOST_IN_XCOM])))
        return {**plain, "failed_nodes": len(self.failed)}

    def lines(self) -> list[str]:
        """Lay it out for the end of a task log or a message to a person."""
        return [*self.details(), *self.endings()]

    def details(self) -> list[str]:
        """Say what has failed, which may be much."""
        lines = [self.headline, f"  side: {self.side}"]
        for node in self.failed[:MOST_NODES]:
            lines += node.lines()
        more = self.failed[MOST_NODES:]
        if more:
            lines.append(f"  and {len(more)} more: {_names(tuple(node.name for node in more))}")
        lines += [f"      {line}" for line in self.log]
        if self.warned:
            lines.append(f"  warned, which fails nothing: {_names(self.warned)}")
        if self.stale:
            harmless = "" if self._looked_at_freshness else ", which fails nothing"
            lines.append(f"  sources without fresh data{harmless}: {_names(self.stale)}")
        return [one_line(line) for line in lines]

    def endings(self) -> list[str]:
        """Say where to look and what to do, which is never left out."""
        places = (("run", self.link), ("step", self.step))
        lines = [f"  {name}: {value}" for name, value in places if value]
        return [one_line(line) for line in (*lines, f"  next: {self.next_step}")]

    @property
    def _looked_at_freshness(self) -> bool:
        return command_of((self.step or "").partition(", ")[2]).looks_at_freshness


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return shown if more <= 0 else f"{shown} and {more} more"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, str):
        return printable(value)
    many = isinstance(value, tuple | list)
    return [_plain(each) for each in value[:MOST_IN_XCOM]] if many else value
