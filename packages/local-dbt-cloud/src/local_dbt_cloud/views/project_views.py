"""Projects as clients see them; v2 and v3 show the same."""

from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.views.connection_views import connection_v3
from local_dbt_cloud.views.job_views import job_view
from local_dbt_cloud.views.repository_views import repository_v3
from local_dbt_cloud.wire.timestamps import spaced


def project_view(
    account: Account, project: Resource, related: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Connection and repository are there without being asked for, as they were recorded."""
    store = account.store
    connection = store.connections.find_active(project["connection_id"])
    repository = store.repositories.find_active(project["repository_id"])
    return {
        "id": project.id,
        "name": project.name,
        "account_id": account.id,
        "description": project["description"],
        "connection_id": project["connection_id"],
        "repository_id": project["repository_id"],
        "semantic_layer_config_id": project["semantic_layer_config_id"],
        "skipped_setup": False,
        "state": project.state,
        "dbt_project_subdirectory": project["dbt_project_subdirectory"],
        "connection": (connection_v3(account, connection, project.id) if connection else None),
        "repository": repository_v3(account, repository) if repository else None,
        "group_permissions": [],
        "docs_job_id": project["docs_job_id"],
        "freshness_job_id": project["freshness_job_id"],
        **{name: related_job(account, project, name, related) for name in JOBS},
        "created_at": spaced(project.created_at),
        "updated_at": spaced(project.updated_at),
        "environments": None,
        "fusion_readiness": None,
        "default_version": None,
        "type": project["type"],
    }


JOBS = ("docs_job", "freshness_job")


def related_job(
    account: Account, project: Resource, name: str, related: frozenset[str]
) -> dict[str, Any] | None:
    job = account.store.find_job(project[f"{name}_id"]) if name in related else None
    return job_view(job) if job else None
