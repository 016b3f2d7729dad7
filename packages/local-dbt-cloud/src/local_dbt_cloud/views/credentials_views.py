"""Credentials as clients see them: dbt Cloud never sends a password back."""

from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.resource_store import Resource


def credentials_view(account: Account, credentials: Resource) -> dict[str, Any]:
    user = credentials["username"]
    return {
        "id": credentials.id,
        "account_id": account.id,
        "project_id": credentials["project_id"],
        "type": credentials["type"],
        "state": credentials.state,
        "threads": credentials["threads"],
        "username": account.warehouse.user if user is None else user,
        "default_schema": credentials["default_schema"],
        "target_name": credentials["target_name"],
        "adapter_version": credentials["adapter_version"],
    }
