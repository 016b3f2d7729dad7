"""
Reduce dbt's manifest to what a DAG is drawn from: nodes, what they depend on, and whose they are.

A manifest of this project has 650 kB, most of it dbt's own macros, and a new id each time; what is
kept here has a tenth, and changes only when the graph does. `make graph` writes it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt_cloud_api.run_picture import owner
from examples.include.dbt_core import GRAPH


DRAWN = frozenset({"model", "seed", "snapshot", "test"})


def graph_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Give a manifest of the same form, with the keys that Cosmos reads."""
    nodes = {
        unique_id: {
            "resource_type": node["resource_type"],
            "package_name": node["package_name"],
            "original_file_path": node["original_file_path"],
            "depends_on": {"nodes": sorted(node["depends_on"]["nodes"])},
            "fqn": node["fqn"],
            "tags": sorted(node["tags"]),
            "config": _config(unique_id, node, manifest),
        }
        for unique_id, node in sorted(manifest["nodes"].items())
        if node["resource_type"] in DRAWN
    }
    return {
        "metadata": {"project_name": manifest["metadata"]["project_name"]},
        "nodes": nodes,
        "sources": {},
        "exposures": {},
    }


def _config(unique_id: str, node: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    # Cosmos makes `meta.owner` the owner of the task; this project names owners by group.
    whose = owner(unique_id, manifest)
    config = {"materialized": node["config"]["materialized"]}
    return {**config, "meta": {"owner": whose}} if whose else config


def main(manifest: str) -> None:
    graph = graph_of(json.loads(Path(manifest).read_text(encoding="utf-8")))
    GRAPH.write_text(json.dumps(graph, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {GRAPH.name}: {len(graph['nodes'])} nodes")


if __name__ == "__main__":
    main(sys.argv[1])
