"""What the profile of a run is made of: the environment's connection and its credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_dbt_cloud.account.account import Account, Environment
from local_dbt_cloud.declared.jobs_file_account import POSTGRES, variables_of
from local_dbt_cloud.settings import Warehouse
from local_dbt_cloud.store.resource_store import Resource


DEFAULT_PORT = 5432
# Masked by dbt in everything that it writes.
PASSWORD_VARIABLE = "DBT_ENV_SECRET_WAREHOUSE_PASSWORD"  # noqa: S105 - a name
# Where a profile may find files: the folder of dbt_cloud_jobs.yml.
ROOT_VARIABLE = "LOCAL_DBT_CLOUD_ROOT"


class IncompleteEnvironmentError(Exception):
    """An environment lacks what a run needs; says what."""


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """
    `output` is what stands in the profile, less schema and threads.

    `variables` are the ones that it reads, with their values: all that dbt gets to know of them.
    """

    type: str
    adapter: str | None
    schema: str
    output: dict[str, Any]
    variables: dict[str, str] = field(repr=False)


def connection_name(account: Account, environment: Environment) -> str:
    """The name in the title of the step; empty when the environment has no connection."""
    connection = account.store.connections.find_active(environment.connection_id)
    return connection.name if connection else ""


def read_profile_source(
    account: Account, environment: Environment, known: Mapping[str, str]
) -> ProfileSource:
    """
    Raise `IncompleteEnvironmentError` when no profile can be made.

    `known` are the variables that a declared profile may read.
    """
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
    if connection["profile"] is not None:
        output, variables = read_declared_profile(connection, known)
    else:
        output, variables = describe(find_warehouse(account.warehouse, connection, credentials))
    return ProfileSource(connection["type"], connection["adapter"], schema, output, variables)


def read_declared_profile(
    connection: Resource, known: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What `dbt_cloud_jobs.yml` says, and the variables that it names."""
    profile: dict[str, Any] = connection["profile"]
    names = variables_of(profile)
    missing = sorted(names - set(known))
    if missing:
        raise IncompleteEnvironmentError(
            f"the profile of connection '{connection.name}' reads {', '.join(missing)}, which is "
            "neither an environment variable of the job nor in the server's process environment"
        )
    return profile, {name: known[name] for name in names}


def describe(warehouse: Warehouse) -> tuple[dict[str, Any], dict[str, str]]:
    output = {
        "host": warehouse.host,
        "port": warehouse.port,
        "user": warehouse.user,
        "password": f"{{{{ env_var('{PASSWORD_VARIABLE}') }}}}",
        "dbname": warehouse.database,
    }
    return output, {PASSWORD_VARIABLE: warehouse.password}


def find_warehouse(own: Warehouse, connection: Resource, credentials: Resource) -> Warehouse:
    """
    The server's own warehouse, but for what connection and credentials say otherwise.

    A connection that names another host gets the user and the password of its credentials, and
    never those of the server's own warehouse.
    """
    if connection["type"] != POSTGRES:
        raise IncompleteEnvironmentError(
            f"connection {connection.id} is for {connection['type']}, whose adapter and profile "
            "only dbt_cloud_jobs.yml can declare"
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
