"""What became of every model and test of a run, from the `run_results.json` of its steps."""

import json
from dataclasses import dataclass
from typing import Any

from local_dbt_cloud.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class NodeResult:
    """`rows` is what dbt's adapter reported, when it reported any."""

    node: str
    kind: str
    status: str
    seconds: float
    rows: int | None
    message: str


def read_node_results(folder: RunFolder) -> list[NodeResult]:
    """The failed nodes first. A docs step only compiles: what it says is no result of the run."""
    results: dict[str, NodeResult] = {}
    for index in reversed(folder.kept_steps()):
        path = folder.find_artifact("run_results.json", index)
        if path is None:
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("args", {}).get("which") == "generate":
            continue
        results |= {result["unique_id"]: to_node_result(result) for result in content["results"]}
    return sorted(results.values(), key=lambda result: result.status in {"success", "pass"})


def to_node_result(result: dict[str, Any]) -> NodeResult:
    kind, _, node = result["unique_id"].partition(".")
    return NodeResult(
        node=node.partition(".")[2],
        kind=kind,
        status=result["status"],
        seconds=result["execution_time"],
        rows=result.get("adapter_response", {}).get("rows_affected"),
        message=result.get("message") or "",
    )
