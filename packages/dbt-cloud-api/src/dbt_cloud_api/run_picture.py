"""
A dbt run as a picture: when each node ran, and which model feeds which.

Takes dbt's own artifacts (`run_results.json` v6, `manifest.json` v12) and gives plain numbers
that a template can draw. Imports nothing from Airflow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbt_cloud_api.run_results import BUILDING_KINDS, FAILED, WARNED, NodeResult, RunResults


@dataclass(frozen=True, slots=True)
class Bar:
    """One node on the timeline. `left` and `width` are percent of the whole run."""

    node: NodeResult
    left: float
    width: float
    owner: str

    @property
    def needs_attention(self) -> bool:
        return self.node.status in FAILED | WARNED


@dataclass(frozen=True, slots=True)
class Box:
    """One model in the graph. `column` is the longest way from a source, `row` counts down."""

    name: str
    status: str
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes and the lines between them, each line from one box to the one that selects from it."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[Box, Box], ...]

    @property
    def columns(self) -> int:
        return 1 + max((box.column for box in self.boxes), default=0)

    @property
    def rows(self) -> int:
        return 1 + max((box.row for box in self.boxes), default=0)


def timeline(results: RunResults, manifest: Mapping[str, Any]) -> list[Bar]:
    """Place every node that started on the time axis of its run, in the order they started."""
    started = sorted(
        ((node.started_at.timestamp(), node) for node in results.nodes if node.started_at),
        key=lambda pair: pair[0],
    )
    if not started:
        return []
    first = started[0][0]
    whole = max(start + node.seconds for start, node in started) - first or 1
    return [
        Bar(
            node=node,
            left=round(100 * (start - first) / whole, 2),
            width=max(round(100 * node.seconds / whole, 2), 0.5),
            owner=owner(node.unique_id, manifest),
        )
        for start, node in started
    ]


def owner(unique_id: str, manifest: Mapping[str, Any]) -> str:
    """
    Say who owns a node: its group's owner, or `meta.owner`, or nobody (an empty string).

    A dbt test belongs to whom the model that it tests belongs.
    """
    node = manifest.get("nodes", {}).get(unique_id, {})
    node = manifest.get("nodes", {}).get(node.get("attached_node"), node)
    for group in manifest.get("groups", {}).values():
        if group["name"] == node.get("group"):
            people = group["owner"]
            return str(people.get("name") or people.get("email") or "")
    meta = (node.get("config") or {}).get("meta") or {}
    return str(meta.get("owner") or "")


def graph(results: RunResults, manifest: Mapping[str, Any]) -> Graph:
    """Lay out the models of a run in columns from left (sources) to right (marts)."""
    # dbt tests and exposures would only crowd it.
    nodes = {node.unique_id: node for node in results.nodes if node.kind in BUILDING_KINDS}
    parents = {
        unique_id: [
            each for each in manifest.get("parent_map", {}).get(unique_id, ()) if each in nodes
        ]
        for unique_id in nodes
    }
    column = _columns(parents)
    boxes: dict[str, Box] = {}
    for unique_id in sorted(nodes, key=lambda each: (column[each], each)):
        row = sum(1 for box in boxes.values() if box.column == column[unique_id])
        node = nodes[unique_id]
        boxes[unique_id] = Box(node.name, node.status, column[unique_id], row)
    lines = tuple(
        (boxes[parent], boxes[child]) for child, above in parents.items() for parent in above
    )
    return Graph(tuple(boxes.values()), lines)


def _columns(parents: Mapping[str, list[str]]) -> dict[str, int]:
    """Give each node the length of its longest way from a node without parents."""
    column: dict[str, int] = {}

    def place(unique_id: str) -> int:
        if unique_id not in column:
            column[unique_id] = 1 + max(map(place, parents[unique_id]), default=-1)
        return column[unique_id]

    for unique_id in parents:
        place(unique_id)
    return column
