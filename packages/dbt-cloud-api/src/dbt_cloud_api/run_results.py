"""
What dbt said about a run: every model and test with its status, rows and seconds.

Reads `run_results.json` as dbt 1.5 to 2 write it (dbt's artifact schema v4 to v6): dbt 2 leaves
out what is null.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from dbt_cloud_api.plain_text import printable


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
    """A `run_results.json` is not as any dbt writes it."""


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
        started_at = timing[0].get("started_at")
        rows = _whole_number((result.get("adapter_response") or {}).get("rows_affected"))
        return cls(
            unique_id=str(result["unique_id"]),
            status=str(result["status"]).lower(),
            seconds=float(result.get("execution_time") or 0),
            rows=rows if failures is None else failures,
            message=printable(str(result.get("message") or "")),
            started_at=datetime.fromisoformat(started_at) if started_at else None,
            invocation_id=invocation_id,
        )

    @property
    def kind(self) -> str:
        return self.unique_id.split(".", 1)[0].replace("_", " ")

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
        try:
            return cls._joined([each for each in artifacts if _which(each) not in NOTHING_RAN])
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnreadableResultsError(
                f"run_results.json is not as dbt writes it: {error!r}"
            ) from error

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
            seconds=sum(float(each.get("elapsed_time") or 0) for each in artifacts),
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
    found: str | None = (artifact.get("metadata") or {}).get("invocation_id")
    return found


def _whole_number(value: Any) -> int | None:
    """Read what an adapter calls the rows: a number, a number as text, or words."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
