"""What the profile of a run is made of: the environment's connection and its credentials."""

from dataclasses import dataclass

from local_dbt_cloud.account import Account, Environment
from local_dbt_cloud.resource_store import Resource
from local_dbt_cloud.settings import Warehouse


DEFAULT_PORT = 5432


class IncompleteEnvironmentError(Exception):
    """An environment lacks what a run needs; says what."""


@dataclass(frozen=True, slots=True)
class ProfileSource:
    warehouse: Warehouse
    schema: str


def connection_name(account: Account, environment: Environment) -> str:
    """The name in the title of the step; empty when the environment has no connection."""
    connection = account.store.connections.find_active(environment.connection_id)
    return connection.name if connection else ""


def read_profile_source(account: Account, environment: Environment) -> ProfileSource:
    """Raise `IncompleteEnvironmentError` when no profile can be made."""
    store = account.store
    connection = store.connections.find_active(environment.connection_id)
    credentials = store.credentials.find_active(environment.credentials_id)
    if connection is None:
        raise IncompleteEnvironmentError(f"environment {environment.id} has no connection")
    if credentials is None:
        raise IncompleteEnvironmentError(f"environment {environment.id} has no credentials")
    schema = credentials["default_schema"]
    if not schema:
        raise IncompleteEnvironmentError(f"credentials {credentials.id} name no schema")
    return ProfileSource(find_warehouse(account.warehouse, connection, credentials), schema)


def find_warehouse(own: Warehouse, connection: Resource, credentials: Resource) -> Warehouse:
    """
    The server's own warehouse, but for what connection and credentials say otherwise.

    A connection that names another host gets the user and the password of its credentials, and
    never those of the server's own warehouse.
    """
    if connection["type"] != "postgres":
        raise IncompleteEnvironmentError(
            f"connection {connection.id} is for {connection['type']}; here is only postgres"
        )
    config, user = connection["config"], credentials["username"]
    host = config.get("hostname", own.host)
    if host != own.host and user is None:
        raise IncompleteEnvironmentError(f"credentials {credentials.id} have no username")
    return Warehouse(
        host=host,
        port=config.get("port", own.port if host == own.host else DEFAULT_PORT),
        user=own.user if user is None else user,
        password=own.password if user is None else credentials["password"] or "",
        database=config.get("dbname", own.database),
    )
