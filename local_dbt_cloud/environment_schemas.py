"""Environments as clients see them; v2 (inside a run) and v3 differ in keys and in dates."""

from typing import Any

from local_dbt_cloud.account import Account
from local_dbt_cloud.declared_jobs import DeclaredEnvironment
from local_dbt_cloud.timestamps import iso, spaced


def environment_v3(
    account: Account, project_id: int, environment: DeclaredEnvironment
) -> dict[str, Any]:
    return {
        "id": environment.id,
        "account_id": account.id,
        "project_id": project_id,
        "credentials_id": environment.credentials_id,
        "connection_id": environment.connection_id,
        "extended_attributes_id": None,
        "name": environment.name,
        "dbt_version": environment.dbt_version,
        "raw_dbt_version": environment.dbt_version,
        "type": "deployment",
        "use_custom_branch": False,
        "custom_branch": None,
        "supports_docs": True,
        "deployment_type": environment.deployment_type,
        "is_deferrable": False,
        "enable_model_query_history": False,
        "enable_dbt_state": False,
        "state": 1,
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
        "project": None,
        "primary_profile_id": None,
        "credentials": None,
        "fusion_readiness": None,
    }


def credentials_view(
    account: Account, project_id: int, environment: DeclaredEnvironment, user: str
) -> dict[str, Any]:
    """The user and the schema; dbt Cloud never sends a password back either."""
    return {
        "id": environment.credentials_id,
        "account_id": account.id,
        "project_id": project_id,
        "type": "postgres",
        "state": 1,
        "threads": None,
        "username": user,
        "default_schema": environment.schema_name,
        "target_name": "default",
    }


def environment_v2(account: Account, project_id: int, environment_id: int) -> dict[str, Any]:
    environment = account.environment(environment_id)
    return {
        "id": environment.id,
        "account_id": account.id,
        "project_id": project_id,
        "name": environment.name,
        "connection_id": environment.connection_id,
        "credentials_id": environment.credentials_id,
        "repository_id": account.project(project_id).repository_id,
        "extended_attributes_id": None,
        "custom_branch": None,
        "use_custom_branch": False,
        "dbt_project_subdirectory": None,
        "dbt_version": environment.dbt_version,
        "raw_dbt_version": environment.dbt_version,
        "supports_docs": True,
        "deployment_type": environment.deployment_type,
        "type": "deployment",
        "created_by_id": None,
        "state": 1,
        "created_at": iso(account.created_at),
        "updated_at": iso(account.created_at),
        "repository": None,
        "connection": None,
        "jobs": None,
        "custom_environment_variables": None,
    }
