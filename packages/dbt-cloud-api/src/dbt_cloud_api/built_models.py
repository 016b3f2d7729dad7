"""Which models, seeds and snapshots dbt has built, from its own results."""

from dataclasses import asdict, dataclass
from typing import Any

from dbt_cloud_api.run_results import BUILDING_KINDS, RunResults


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


def built_models(results: RunResults) -> list[BuiltModel]:
    """
    Name what was built, each once.

    Pass the results of a resumed run and, before them, of those that it resumes: what these had
    built is not built again, and is as new.
    """
    return [
        BuiltModel(
            project=node.project,
            name=node.name,
            rows=node.rows if node.rows is None or node.rows >= 0 else None,
            seconds=node.seconds,
            invocation_id=node.invocation_id,
        )
        for node in results.nodes
        if node.kind in BUILDING_KINDS and node.status == "success"
    ]
