"""Environments as clients see them; v2 (also inside a run) and v3 differ in keys and in dates."""

from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.views.connection_views import connection_v2, connection_v3
from local_dbt_cloud.views.credentials_views import credentials_view
from local_dbt_cloud.views.project_views import project_view
from local_dbt_cloud.views.repository_views import repository_v2, repository_v3
from local_dbt_cloud.wire.timestamps import iso, spaced


def environment_v3(
    account: Account, environment: Resource, related: frozenset[str] = frozenset()
) -> dict[str, Any]:
    return {
        "id": environment.id,
        "account_id": account.id,
        "project_id": environment["project_id"],
        "credentials_id": environment["credentials_id"],
        "connection_id": environment["connection_id"],
        "extended_attributes_id": environment["extended_attributes_id"],
        "name": environment.name,
        "dbt_version": environment["dbt_version"],
        "raw_dbt_version": environment["dbt_version"],
        "type": environment["type"],
        "use_custom_branch": environment["use_custom_branch"],
        "custom_branch": environment["custom_branch"],
        "supports_docs": environment["supports_docs"],
        "deployment_type": environment["deployment_type"],
        "is_deferrable": False,
        "enable_model_query_history": environment["enable_model_query_history"],
        "enable_dbt_state": environment["enable_dbt_state"],
        "state": environment.state,
        "created_at": spaced(environment.created_at),
        "updated_at": spaced(environment.updated_at),
        "project": None,
        "primary_profile_id": environment["primary_profile_id"],
        "credentials": None,
        "fusion_readiness": None,
        **related_v3(account, environment, related),
    }


def related_v3(account: Account, environment: Resource, related: frozenset[str]) -> dict[str, Any]:
    """`connection` and `repository` are keys only of who asks for them."""
    store, project_id = account.store, environment["project_id"]
    shown: dict[str, Any] = {}
    if {"project", "repository"} & related:
        project = store.projects.find(project_id)
        repository = store.repositories.find_active(project["repository_id"] if project else None)
        shown["project"] = project_view(account, project) if project else None
        shown["repository"] = repository_v3(account, repository) if repository else None
    if "connection" in related:
        connection = store.connections.find_active(environment["connection_id"])
        shown["connection"] = connection_v3(account, connection, project_id) if connection else None
    if "credentials" in related:
        credentials = store.credentials.find_active(environment["credentials_id"])
        shown["credentials"] = credentials_view(account, credentials) if credentials else None
    return {name: view for name, view in shown.items() if name in related}


def environment_v2(
    account: Account, environment: Resource, related: frozenset[str] = frozenset()
) -> dict[str, Any]:
    store, project_id = account.store, environment["project_id"]
    project = store.projects.find(project_id)
    repository_id = environment["repository_id"] or (project["repository_id"] if project else None)
    repository = store.repositories.find_active(repository_id) if "repository" in related else None
    connection_id = environment["connection_id"]
    connection = store.connections.find_active(connection_id) if "connection" in related else None
    return {
        "id": environment.id,
        "account_id": account.id,
        "project_id": project_id,
        "name": environment.name,
        "connection_id": connection_id,
        "credentials_id": environment["credentials_id"],
        "repository_id": repository_id,
        "extended_attributes_id": environment["extended_attributes_id"],
        "custom_branch": environment["custom_branch"],
        "use_custom_branch": environment["use_custom_branch"],
        "dbt_project_subdirectory": environment["dbt_project_subdirectory"],
        "dbt_version": environment["dbt_version"],
        "raw_dbt_version": environment["dbt_version"],
        "supports_docs": environment["supports_docs"],
        "deployment_type": environment["deployment_type"],
        "type": environment["type"],
        "created_by_id": None,
        "state": environment.state,
        "created_at": iso(environment.created_at),
        "updated_at": iso(environment.updated_at),
        "repository": repository_v2(account, repository) if repository else None,
        "connection": (connection_v2(account, connection, project_id) if connection else None),
        "jobs": None,
        "custom_environment_variables": None,
    }


def find_environment_v2(account: Account, environment_id: int) -> dict[str, Any] | None:
    """As it stands inside a run or a job; None once it is deleted."""
    environment = account.store.environments.find_active(environment_id)
    return environment_v2(account, environment) if environment else None
