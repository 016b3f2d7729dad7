"""
The artifacts of a run without dbt: dbt's shape, the project's nodes, made-up results.

The nodes come from the files of the project: a model for each `.sql`, a seed for each `.csv`,
their dependencies from `ref('…')`. Selections are not read: a simulated command covers them all.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from local_dbt_cloud.runs.run_environment import METADATA_PREFIX
from local_dbt_cloud.wire.timestamps import iso, now


SCHEMA = "https://schemas.getdbt.com/dbt/{}.json"
DBT_VERSION = "1.11.0"
# What a command has results for; dbt tests are not simulated.
KINDS: dict[str, tuple[str, ...]] = {
    "build": ("seed", "model"),
    "run": ("model",),
    "seed": ("seed",),
    "test": (),
    "retry": ("seed", "model"),
    "compile": ("model",),
    "docs generate": ("model",),
}
# The others read the project, and dbt writes down what it read.
WITHOUT_MANIFEST = frozenset({"clean", "debug", "deps"})
REF = re.compile(r"\bref\(\s*['\"](\w+)['\"]\s*\)")


@dataclass(frozen=True, slots=True)
class Node:
    kind: str
    name: str
    package: str
    path: str
    raw_code: str
    refs: tuple[str, ...] = ()

    @property
    def unique_id(self) -> str:
        return f"{self.kind}.{self.package}.{self.name}"


@dataclass(frozen=True)
class Simulation:
    """
    `command` is the dbt subcommand, `docs generate` with both words.

    Without a folder on this machine there are no nodes to be seen.
    """

    project: Path | None
    command: str
    process_env: Mapping[str, str]
    fails: bool = False
    named: tuple[str, ...] = ()
    message: str | None = None
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @cached_property
    def nodes(self) -> list[Node]:
        return list(read_nodes(self.project)) if self.project else []

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """By node, the nodes that it reads."""
        by_name = {node.name: node.unique_id for node in self.nodes}
        return {
            node.unique_id: [by_name[name] for name in node.refs if name in by_name]
            for node in self.nodes
        }

    @cached_property
    def failed(self) -> set[str]:
        """Unique ids: those that were named, in either form, or else the first node."""
        if not self.fails:
            return set()
        ran = [node for node in self.nodes if node.kind in KINDS.get(self.command, ())]
        named = {n.unique_id for n in ran if {n.name, n.unique_id} & set(self.named)}
        return named or {node.unique_id for node in ran[:1]}

    @cached_property
    def results(self) -> dict[str, Any]:
        return run_results(self)

    @property
    def lines(self) -> list[str]:
        """A line for each node, as dbt prints them."""
        if self.command not in KINDS:
            return []
        results = self.results["results"]
        return [
            f"{number} of {len(results)} {result['status'].upper()} {result['unique_id']}"
            for number, result in enumerate(results, 1)
        ]

    def metadata(self, schema: str) -> dict[str, Any]:
        env = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in self.process_env.items()
            if name.startswith(METADATA_PREFIX)
        }
        return {
            "dbt_schema_version": SCHEMA.format(schema),
            "dbt_version": DBT_VERSION,
            "generated_at": iso(now()),
            "invocation_id": self.invocation_id,
            "invocation_started_at": iso(now()),
            "env": env,
        }


def read_nodes(project: Path) -> Iterator[Node]:
    content = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    package = content["name"]
    for kind, suffix, folders in (
        ("seed", ".csv", content.get("seed-paths", ["seeds"])),
        ("model", ".sql", content.get("model-paths", ["models"])),
    ):
        for folder in folders:
            for path in sorted((project / folder).rglob(f"*{suffix}")):
                code = path.read_text(encoding="utf-8", errors="replace")
                refs = tuple(dict.fromkeys(REF.findall(code))) if kind == "model" else ()
                place = path.relative_to(project).as_posix()
                yield Node(kind, path.stem, package, place, code, refs)


def write_artifacts(simulation: Simulation) -> dict[str, bytes]:
    """What the command leaves, by file name."""
    if simulation.command in WITHOUT_MANIFEST:
        return {}
    written = {"manifest.json": manifest(simulation)}
    if simulation.command in KINDS:
        written["run_results.json"] = simulation.results
    if simulation.command == "docs generate":
        written["catalog.json"] = catalog(simulation)
    return as_files(written)


def as_files(contents: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: json.dumps(content).encode() for name, content in contents.items()}


def run_results(simulation: Simulation) -> dict[str, Any]:
    kinds = KINDS[simulation.command]
    skipped: set[str] = set()
    results = []
    for node in in_order(simulation):
        if node.kind not in kinds:
            continue
        if (skipped | simulation.failed) & set(simulation.parents[node.unique_id]):
            skipped.add(node.unique_id)
        results.append(result(node, simulation, skipped))
    return {
        "metadata": simulation.metadata("run-results/v6"),
        "results": results,
        "elapsed_time": 0.0,
        "args": {"which": simulation.command.split()[-1], "invocation_command": "simulated"},
    }


def result(node: Node, simulation: Simulation, skipped: set[str]) -> dict[str, Any]:
    status, message = "success", "SELECT 1"
    if node.unique_id in simulation.failed:
        status = "error"
        message = simulation.message or f"Database Error in {node.kind} {node.name}: simulated"
    elif node.unique_id in skipped:
        status, message = "skipped", "Skipping due to a failure upstream"
    moment = iso(now())
    return {
        "status": status,
        "timing": [
            {"name": name, "started_at": moment, "completed_at": moment}
            for name in ("compile", "execute")
            if status != "skipped"
        ],
        "thread_id": "Thread-1 (worker)",
        "execution_time": 0.0,
        "adapter_response": {"_message": "SELECT 1", "code": "SELECT", "rows_affected": 1}
        if status == "success"
        else {},
        "message": message,
        "failures": None,
        "unique_id": node.unique_id,
        "compiled": status != "skipped",
        "compiled_code": None,
        "relation_name": f'"simulated"."simulated"."{node.name}"',
        "batch_results": None,
    }


def in_order(simulation: Simulation) -> list[Node]:
    """What a node reads comes before it; a circle ends where it was entered."""
    ordered: dict[str, Node] = {}
    entered: set[str] = set()
    by_id = {node.unique_id: node for node in simulation.nodes}

    def visit(node: Node) -> None:
        if node.unique_id not in entered:
            entered.add(node.unique_id)
            for parent in simulation.parents[node.unique_id]:
                visit(by_id[parent])
            ordered[node.unique_id] = node

    for node in simulation.nodes:
        visit(node)
    return list(ordered.values())


def manifest(simulation: Simulation) -> dict[str, Any]:
    nodes, above = simulation.nodes, simulation.parents
    below: dict[str, list[str]] = {unique_id: [] for unique_id in above}
    for child, ids in above.items():
        for unique_id in ids:
            below[unique_id].append(child)
    empty = ("sources", "macros", "docs", "exposures", "metrics", "groups", "selectors",
             "disabled", "group_map", "saved_queries", "semantic_models", "unit_tests")  # fmt: skip
    return {
        "metadata": simulation.metadata("manifest/v12") | {"adapter_type": "postgres"},
        "nodes": {node.unique_id: manifest_node(node, above[node.unique_id]) for node in nodes},
        **{name: {} for name in empty},
        "parent_map": above,
        "child_map": below,
    }


def manifest_node(node: Node, depends_on: list[str]) -> dict[str, Any]:
    return {
        "unique_id": node.unique_id,
        "resource_type": node.kind,
        "name": node.name,
        "alias": node.name,
        "package_name": node.package,
        "path": node.path.partition("/")[2],
        "original_file_path": node.path,
        "fqn": [node.package, *node.path.split("/")[1:-1], node.name],
        "database": "simulated",
        "schema": "simulated",
        "relation_name": f'"simulated"."simulated"."{node.name}"',
        "raw_code": node.raw_code if node.kind == "model" else "",
        "compiled_code": node.raw_code if node.kind == "model" else "",
        "language": "sql",
        "refs": [{"name": name, "package": None, "version": None} for name in node.refs],
        "depends_on": {"macros": [], "nodes": depends_on},
        "config": {"enabled": True, "materialized": "table" if node.kind == "model" else "seed"},
        "tags": [],
        "meta": {},
        "columns": {},
        "description": "",
    }


def catalog(simulation: Simulation) -> dict[str, Any]:
    nodes = {
        node.unique_id: {
            "metadata": {
                "type": "BASE TABLE",
                "schema": "simulated",
                "name": node.name,
                "database": "simulated",
                "comment": None,
                "owner": "simulated",
            },
            "columns": {},
            "stats": {},
            "unique_id": node.unique_id,
        }
        for node in simulation.nodes
    }
    return {
        "metadata": simulation.metadata("catalog/v1"),
        "nodes": nodes,
        "sources": {},
        "errors": None,
    }
