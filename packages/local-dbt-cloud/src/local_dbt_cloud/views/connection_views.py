"""
Connections as clients see them, in four forms.

In a project of v3 what it connects to stands in `details`, in an environment of v2 beside the
rest, and in the account it stands in `config`; lists of the account count its environments.
"""

from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.wire.timestamps import spaced


# Never sent back, whatever the warehouse.
SECRETS = frozenset(
    {"password", "private_key", "private_key_passphrase", "token", "oauth_client_secret"}
    | {"client_secret", "application_secret"}
)


def connection_v3(
    account: Account, connection: Resource, project_id: int | None = None
) -> dict[str, Any]:
    """`project_id` is the project that it is shown in: a connection of the account has none."""
    return {
        "id": connection.id,
        "account_id": account.id,
        "project_id": connection["project_id"] or project_id,
        "name": connection.name,
        "type": connection["type"],
        "adapter_version": connection["adapter_version"],
        "created_by_id": None,
        "created_by_service_token_id": None,
        "details": details(account, connection),
        "state": connection.state,
        "created_at": spaced(connection.created_at),
        "updated_at": spaced(connection.updated_at),
        "private_link_endpoint_id": connection["private_link_endpoint_id"],
        "oauth_configuration_id": connection["oauth_configuration_id"],
        "oauth_redirect_uri": None,
    }


def details(account: Account, connection: Resource) -> dict[str, Any]:
    shown = config(account, connection)
    if connection["type"] == "postgres":
        # dbt Cloud has no `host`; Airflow's OpenLineage looks for it and fails without.
        shown = {"hostname": shown["hostname"], "host": shown["hostname"], **shown}
        shown.setdefault("tunnel_enabled", False)
    return shown


def config(account: Account, connection: Resource) -> dict[str, Any]:
    """What it connects to; the connection of the file leads to the server's own warehouse."""
    own = account.warehouse
    known = {}
    if connection["type"] == "postgres":
        known = {"hostname": own.host, "dbname": own.database, "port": own.port}
    given = {key: value for key, value in connection["config"].items() if key not in SECRETS}
    return known | given


def connection_v2(account: Account, connection: Resource, project_id: int) -> dict[str, Any]:
    """As it stands inside an environment of v2: flat."""
    return {
        "created_by_id": None,
        "created_by_service_token_id": None,
        "id": connection.id,
        "state": connection.state,
        "account_id": account.id,
        "dbt_project_id": connection["project_id"] or project_id,
        "name": connection.name,
        "type": connection["type"],
        **details(account, connection),
    }


def account_connection(account: Account, connection: Resource) -> dict[str, Any]:
    return {
        **common(account, connection),
        "oauth_redirect_uri": None,
        "is_configured_for_native_oauth": False,
        "platform_metadata_credentials_id": None,
        "analytics_credentials_id": None,
        "config": config(account, connection),
    }


def account_connection_in_list(account: Account, connection: Resource) -> dict[str, Any]:
    used = account.store.environments.active(connection_id=connection.id)
    return {
        **common(account, connection),
        "environment__count": len(used),
        "platform_metadata_credentials_id": None,
        "analytics_credentials_id": None,
        "config": config(account, connection),
    }


def common(account: Account, connection: Resource) -> dict[str, Any]:
    return {
        "id": connection.id,
        "created_at": spaced(connection.created_at),
        "updated_at": spaced(connection.updated_at),
        "account_id": account.id,
        "name": connection.name,
        "adapter_version": connection["adapter_version"],
        "private_link_endpoint_id": connection["private_link_endpoint_id"],
        "is_ssh_tunnel_enabled": connection["is_ssh_tunnel_enabled"],
        "oauth_configuration_id": connection["oauth_configuration_id"],
    }
