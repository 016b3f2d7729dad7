"""A job as the server works with it, whoever wrote it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_dbt_cloud.store.resource_store import Resource


@dataclass(frozen=True, slots=True)
class Job:
    """`definition` is in the format of dbt-jobs-as-code, which is that of the API."""

    id: int
    project_id: int
    environment_id: int
    name: str
    state: int
    created_at: datetime
    updated_at: datetime
    declared: bool
    definition: dict[str, Any]


def to_job(resource: Resource) -> Job:
    definition = resource.definition
    return Job(
        id=resource.id,
        project_id=definition["project_id"],
        environment_id=definition["environment_id"],
        name=definition["name"],
        state=resource.state,
        created_at=resource.created_at,
        updated_at=resource.updated_at,
        declared=bool(resource.declaration),
        definition=definition,
    )
