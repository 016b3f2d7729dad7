"""
A dbt run as a picture: when each node ran, and which model feeds which.

Takes dbt's own artifacts (`run_results.json` v6, `manifest.json` v12) and gives plain numbers
that a template can draw. Imports nothing from Airflow.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbt_cloud_api.run_results import (
    BUILDING_KINDS,
    FAILED,
    WARNED,
    NodeResult,
    RunResults,
    names_of,
    owner_in_meta,
    part_of,
)


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
            left=round(100 * ((start - first) / whole), 2),
            width=max(round(100 * (node.seconds / whole), 2), 0.5),
            owner=owner(node.unique_id, manifest),
        )
        for start, node in started
    ]


def owner(unique_id: str, manifest: Mapping[str, Any]) -> str:
    """
    Say who owns a node: its group's owner, or `meta.owner`, or nobody (an empty string).

    A dbt test belongs to whom the model that it tests belongs.
    """
    node = part_of(manifest, "nodes", unique_id)
    node = part_of(manifest, "nodes", node.get("attached_node")) or node
    name = node.get("group")
    for group in part_of(manifest, "groups").values() if name else ():
        if part_of(group).get("name") == name:
            people = part_of(group, "owner")
            return names_of(people.get("name") or people.get("email"))
    return owner_in_meta(node)


def graph(results: RunResults, manifest: Mapping[str, Any]) -> Graph:
    """Lay out the models of a run in columns from left (sources) to right (marts)."""
    # dbt tests and exposures would only crowd it.
    nodes = {node.unique_id: node for node in results.nodes if node.kind in BUILDING_KINDS}
    parents = {
        unique_id: [each for each in neighbours(manifest, "parent_map", unique_id) if each in nodes]
        for unique_id in nodes
    }
    column = _columns(parents)
    boxes: dict[str, Box] = {}
    rows = Counter[int]()
    for unique_id in sorted(nodes, key=lambda each: (column[each], each)):
        node, place = nodes[unique_id], column[unique_id]
        boxes[unique_id] = Box(node.name, node.status, place, rows[place])
        rows[place] += 1
    lines = tuple(
        (boxes[parent], boxes[child]) for child, above in parents.items() for parent in above
    )
    return Graph(tuple(boxes.values()), lines)


def neighbours(manifest: Mapping[str, Any], side: str, unique_id: str) -> list[str]:
    """Name what is next to a node, each once; the sides are `parent_map` and `child_map`."""
    listed = part_of(manifest, side).get(unique_id)
    names = listed if isinstance(listed, list) else []
    return list(dict.fromkeys(each for each in names if isinstance(each, str)))


def _columns(parents: Mapping[str, list[str]]) -> dict[str, int]:
    """
    Give each node the length of its longest way from a node without parents.

    Nodes in a circle, of which dbt makes none, stay in the column where the circle begins.
    """
    column = dict.fromkeys(parents, 0)
    children: dict[str, list[str]] = {unique_id: [] for unique_id in parents}
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    waits_for = {child: len(above) for child, above in parents.items()}
    # Not by recursion: a project may be deeper than Python's stack.
    front = [unique_id for unique_id, count in waits_for.items() if not count]
    while front:
        parent = front.pop()
        for child in children[parent]:
            column[child] = max(column[child], column[parent] + 1)
            waits_for[child] -= 1
            if not waits_for[child]:
                front.append(child)
    return column
