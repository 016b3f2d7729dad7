"""Whether the ids that a resource names lead to something."""

from typing import Any

from local_dbt_cloud.store.resource_store import Definition, Resource, Resources
from local_dbt_cloud.store.store import Store
from local_dbt_cloud.wire.errors import InvalidRequestError


def check_references(store: Store, definition: Definition, project_id: int | None = None) -> None:
    """
    Raise `InvalidRequestError` for an id that is not there, or that is another project's.

    Without a project, ids of every project of the account are fine.
    """
    kinds: dict[str, Resources] = {
        "project_id": store.projects,
        "environment_id": store.environments,
        "connection_id": store.connections,
        "credentials_id": store.credentials,
        "repository_id": store.repositories,
        "docs_job_id": store.jobs,
        "freshness_job_id": store.jobs,
        "deferring_job_definition_id": store.jobs,
        "deferring_environment_id": store.environments,
        "job_definition_id": store.jobs,
    }
    wrong = {
        key: f"'{definition[key]}' does not exist"
        for key, resources in kinds.items()
        if definition.get(key) is not None
        and not leads_into(resources.find_active(definition[key]), project_id)
    }
    if wrong:
        raise InvalidRequestError(**wrong)


def leads_into(resource: Resource | None, project_id: int | None) -> bool:
    if resource is None:
        return False
    its_project: Any = resource.definition.get("project_id")
    return project_id is None or its_project in {None, project_id}
