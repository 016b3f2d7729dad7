"""
What dbt said about a run: every model and test with its status, rows and seconds.

Reads `run_results.json` as dbt 1.5 to 2 write it (dbt's artifact schema v4 to v6): dbt 2 leaves
out what is null.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from dbt_cloud_api.plain_text import one_line, printable


FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
SKIPPED = frozenset({"skipped"})
WARNED = frozenset({"warn"})
# What makes a table or a view; dbt tests and operations make none.
BUILDING_KINDS = frozenset({"model", "seed", "snapshot"})

# Failures last: in a long log that is where the eye is when the task has ended.
STATUS_ORDER = ("success", "pass", "reused", "no-op", "warn", "skipped")
# By `args.which`: `dbt docs generate` only compiles, and what it says is no result of the run.
NOTHING_RAN = frozenset({"generate"})


class DbtFailureError(Exception):
    """At least one dbt model or dbt test failed: the task did its work, the data is at fault."""


class UnreadableResultsError(ValueError):
    """A `run_results.json` or `sources.json` is not as any dbt writes it."""


# What reading JSON ends in that is not as it should be. In a long number, infinity, many lists in
# one another: whoever writes to dbt's target folder may put them there.
NOT_AS_EXPECTED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)


@contextmanager
def reading(file: str) -> Iterator[None]:
    """Turn whatever goes wrong while an artifact is read into `UnreadableResultsError`."""
    try:
        yield
    except NOT_AS_EXPECTED as error:
        reason = one_line(repr(error))
        raise UnreadableResultsError(f"{file} is not as dbt writes it: {reason}") from error


def part_of(artifact: Any, *keys: Any) -> Mapping[str, Any]:
    """Follow keys into an artifact, such as manifest.json; empty where there is nothing like it."""
    for key in keys:
        known = isinstance(artifact, Mapping) and isinstance(key, str)
        artifact = artifact.get(key) if known else None
    return artifact if isinstance(artifact, Mapping) else {}


def owner_in_meta(node: Mapping[str, Any]) -> str:
    """Say whom `meta.owner` of a node or a source of manifest.json names; empty for nobody."""
    meta = part_of(node, "config", "meta") or part_of(node, "meta")
    return names_of(meta.get("owner"))


def names_of(owner: Any) -> str:
    """Give an owner's name or mail, of which dbt allows several, as it may stand in a line."""
    names = owner if isinstance(owner, list) else [owner]
    return one_line(", ".join(each for each in names if isinstance(each, str)))


def text(value: Any) -> str:
    """Give what must be a text, or a number in its place; raise `TypeError` for anything else."""
    if not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} where a text stands")
    return str(value)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """
    One model, seed, snapshot or dbt test.

    `rows` is None where the warehouse gave no number; for a dbt test it counts the rows that
    failed. `started_at` is None for a node that never started.
    """

    unique_id: str
    status: str
    seconds: float
    rows: int | None
    message: str
    started_at: datetime | None = None
    invocation_id: str | None = None

    @classmethod
    def parse(cls, result: dict[str, Any], invocation_id: str | None = None) -> Self:
        failures = result.get("failures")
        timing = result.get("timing") or [{}]
        rows = _whole_number((result.get("adapter_response") or {}).get("rows_affected"))
        return cls(
            unique_id=one_line(text(result["unique_id"])),
            status=one_line(text(result["status"])).lower(),
            seconds=_seconds(result.get("execution_time")),
            rows=rows if failures is None else _whole_number(failures),
            message=printable(text(result.get("message") or "")),
            started_at=_moment(timing[0].get("started_at")),
            invocation_id=invocation_id,
        )

    @property
    def kind(self) -> str:
        return self.unique_id.split(".", 1)[0].replace("_", " ")

    @property
    def project(self) -> str:
        return self.unique_id.partition(".")[2].partition(".")[0]

    @property
    def name(self) -> str:
        """
        Drop the kind and the package from `model.flights.stg_flights`.

        What follows stays whole: a versioned model is `orders.v2`, a dbt test ends in a hash.
        """
        parts = self.unique_id.split(".", 2)
        name = parts[-1]
        return name.rsplit(".", 1)[0] if parts[0] == "test" and "." in name else name

    @property
    def severity(self) -> int:
        """How far this is from a plain success; a status that is not known counts as a failure."""
        known = self.status in STATUS_ORDER
        return STATUS_ORDER.index(self.status) if known else len(STATUS_ORDER)


@dataclass(frozen=True, slots=True)
class RunResults:
    """The results of all dbt commands of one dbt Cloud run, in the order they ended."""

    nodes: tuple[NodeResult, ...]
    invocation_ids: tuple[str, ...]
    seconds: float

    @classmethod
    def parse(cls, artifacts: Iterable[dict[str, Any]]) -> Self:
        """
        Join the `run_results.json` of every command of a run.

        A node that ran in two commands (a retry, or `dbt run` and then `dbt build`) counts once,
        with its last result. Raises `UnreadableResultsError`.
        """
        with reading("run_results.json"):
            return cls._joined([each for each in artifacts if _which(each) not in NOTHING_RAN])

    @classmethod
    def _joined(cls, artifacts: list[dict[str, Any]]) -> Self:
        nodes = [
            NodeResult.parse(result, _invocation_id(artifact))
            for artifact in artifacts
            for result in artifact["results"]
        ]
        return cls(
            nodes=tuple({node.unique_id: node for node in nodes}.values()),
            invocation_ids=tuple(filter(None, map(_invocation_id, artifacts))),
            seconds=_seconds(sum(_seconds(each.get("elapsed_time")) for each in artifacts)),
        )

    def count_by_status(self) -> dict[str, int]:
        return dict(Counter(node.status for node in self.nodes))

    def names(self, statuses: frozenset[str]) -> list[str]:
        return [node.unique_id for node in self.nodes if node.status in statuses]

    def summary(self) -> dict[str, Any]:
        """Give what is worth keeping as XCom: small, JSON, the same keys every time."""
        return {
            "invocation_ids": list(self.invocation_ids),
            "nodes": len(self.nodes),
            "counts": self.count_by_status(),
            "failed": self.names(FAILED),
            "warned": self.names(WARNED),
            "skipped": self.names(SKIPPED),
            "seconds": round(self.seconds, 2),
        }

    def table(self) -> list[str]:
        """Lay the nodes out as lines of text, failures last, each with dbt's own message."""
        width = max((len(node.name) for node in self.nodes), default=4)
        lines = [f"{'STATUS':<9} {'KIND':<9} {'NAME':<{width}} {'ROWS':>9} {'SECONDS':>8}"]
        for node in sorted(self.nodes, key=lambda node: node.severity):
            rows = "" if node.rows is None or node.rows < 0 else f"{node.rows:,}"
            lines.append(
                f"{node.status:<9} {node.kind:<9} {node.name:<{width}} {rows:>9} "
                f"{node.seconds:>8.2f}"
            )
            if node.status in FAILED | WARNED:
                lines += [f"{'':<9} {line}" for line in node.message.splitlines()]
        return lines

    def raise_if_any_failed(self) -> None:
        failed = self.names(FAILED)
        if failed:
            message = f"{len(failed)} of {len(self.nodes)} dbt nodes failed: {', '.join(failed)}"
            raise DbtFailureError(message)


def _which(artifact: dict[str, Any]) -> Any:
    """Name the subcommand by its last word, as dbt does."""
    return (artifact.get("args") or {}).get("which")


def _invocation_id(artifact: dict[str, Any]) -> str | None:
    found = (artifact.get("metadata") or {}).get("invocation_id")
    return one_line(text(found)) if found else None


def _seconds(value: Any) -> float:
    """Read a duration; a clock that was set back while dbt ran makes one below 0."""
    seconds = float(value or 0)
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} is no number of seconds")
    return max(seconds, 0.0)


def _moment(value: Any) -> datetime | None:
    """Read a time, which dbt writes in UTC also where it does not say so."""
    moment = datetime.fromisoformat(value) if value else None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _whole_number(value: Any) -> int | None:
    """Read what an adapter calls the rows: a number, a number as text, or words."""
    try:
        number = int(value)
    except (OverflowError, TypeError, ValueError):
        return None
    # What is larger has no room in an XCom or an asset event.
    return number if -(2**63) <= number < 2**63 else None
