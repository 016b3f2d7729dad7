"""Environment variables as clients see them: one by one, and as tables of names and scopes."""

from collections.abc import Mapping
from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.account.run_variables import shown_value
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.views.environment_views import environment_v3
from local_dbt_cloud.wire.timestamps import spaced


def variable_view(account: Account, variable: Resource) -> dict[str, Any]:
    environment = account.store.environments.find_active(variable["environment_id"])
    return {
        "id": variable.id,
        "account_id": account.id,
        "project_id": variable["project_id"],
        "name": variable.name,
        "type": variable["type"],
        "user_id": variable["user_id"],
        "environment_id": variable["environment_id"],
        "job_definition_id": variable["job_definition_id"],
        "display_value": shown_value(variable),
        "state": variable.state,
        "created_at": spaced(variable.created_at),
        "updated_at": spaced(variable.updated_at),
        "environment": environment_v3(account, environment) if environment else None,
    }


def value_view(variable: Resource) -> dict[str, Any]:
    return {"id": variable.id, "value": shown_value(variable)}


def by_name_and_scope(scopes: Mapping[str, Mapping[str, Resource]]) -> dict[str, dict[str, Any]]:
    """By name and scope; a scope that does not set the variable is left out, not null."""
    names = sorted({name for variables in scopes.values() for name in variables})
    return {
        name: {
            scope: value_view(variables[name])
            for scope, variables in scopes.items()
            if name in variables
        }
        for name in names
    }
