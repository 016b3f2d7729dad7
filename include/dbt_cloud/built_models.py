"""Which models, seeds and snapshots dbt has built, from its own results. No Airflow inside."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from include.run_results import NodeResult


KINDS = frozenset({"model", "seed", "snapshot"})


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """One table or view that is new, and what is worth knowing of how it came to be."""

    project: str
    name: str
    rows: int | None
    seconds: float
    invocation_id: str | None

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def built_models(artifacts: Iterable[dict[str, Any]]) -> list[BuiltModel]:
    """
    Name what `run_results.json` of one or more commands says was built, each once.

    Pass a resumed run's artifacts behind those of the run that it resumes: what that one had built
    is not built again, and is as new.
    """
    found: dict[str, BuiltModel] = {}
    for artifact in artifacts:
        for result in artifact["results"]:
            node = NodeResult.parse(result)
            if node.kind in KINDS and node.status == "success":
                found[node.unique_id] = BuiltModel(
                    project=node.unique_id.split(".")[1],
                    name=node.name,
                    rows=node.rows if node.rows is None or node.rows >= 0 else None,
                    seconds=node.seconds,
                    invocation_id=(artifact.get("metadata") or {}).get("invocation_id"),
                )
            else:
                found.pop(node.unique_id, None)
    return list(found.values())
