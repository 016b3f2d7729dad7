"""Repositories as clients see them; v2 and v3 differ in dates and in a few keys."""

from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.wire.timestamps import iso, spaced


COPIED = (
    "project_id",
    "full_name",
    "remote_url",
    "remote_backend",
    "git_clone_strategy",
    "deploy_key_id",
    "repository_credentials_id",
    "github_installation_id",
    "github_webhook_id",
    "pull_request_url_template",
    "private_link_endpoint_id",
)


def repository_v3(account: Account, repository: Resource) -> dict[str, Any]:
    return {
        "id": repository.id,
        "account_id": account.id,
        **{key: repository[key] for key in COPIED},
        "state": repository.state,
        "created_at": spaced(repository.created_at),
        "updated_at": spaced(repository.updated_at),
        "deploy_key": None,
        "github_repo": None,
        "name": repository["full_name"],
        "web_url": None,
        "git_provider_id": repository["git_provider_id"],
        "gitlab": None,
        "git_provider": None,
        "is_private_link_enabled": False,
    }


def repository_v2(account: Account, repository: Resource) -> dict[str, Any]:
    return {
        "id": repository.id,
        "account_id": account.id,
        **{key: repository[key] for key in COPIED},
        "created_at": iso(repository.created_at),
        "updated_at": iso(repository.updated_at),
        "state": repository.state,
        "git_provider_id": repository["git_provider_id"],
        "deploy_key": None,
        "github_repo": None,
        "name": repository["full_name"],
    }
