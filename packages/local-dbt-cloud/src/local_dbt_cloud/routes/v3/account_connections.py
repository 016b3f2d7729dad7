"""
/connections/ (v3): the connections of the account, which any project may use.

A newer part of dbt Cloud: what is wrong with a body is told in the words of its validator.
"""

from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    found,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.resource_store import Definition, Resource
from local_dbt_cloud.views.connection_views import account_connection, account_connection_in_list
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import InvalidDataError, InvalidRequestError
from local_dbt_cloud.wire.evidence import OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import boolean, text
from local_dbt_cloud.wire.request_body import Identifier, Name, read_json_object


# dbt Cloud has these for other warehouses; here they are so for every connection.
OFF = {
    "has_analytics_credentials": False,
    "has_catalog_ingestion_enabled": False,
    "has_cost_insights_enabled": False,
    "has_cost_management_enabled": False,
    "has_platform_metadata_credentials": False,
    "requires_platform_metadata_credentials": False,
}
LISTING = Listing(
    {
        "adapter_version": text,
        "name__icontains": text,
        "private_endpoint_id": text,
        **dict.fromkeys(OFF, boolean),
    },
    always=OFF,
)
REMOVABLE = frozenset({"private_link_endpoint_id", "oauth_configuration_id"})
AdapterVersion = Literal[
    "apache_spark_v0", "athena_v0", "bigquery_v0", "bigquery_v1", "databricks_spark_v0",
    "databricks_v0", "fabric_v0", "postgres_v0", "redshift_v0", "salesforce_v0", "snowflake_v0",
    "synapse_v0", "teradata_v0", "trino_v0",
]  # fmt: skip


class PostgresConfig(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    hostname: Annotated[str, Field(min_length=1, max_length=1024)]
    dbname: Annotated[str, Field(min_length=1, max_length=63)]
    port: Annotated[int, Field(gt=0, le=65535)] = 5432
    retries: Annotated[int, Field(ge=0, le=10)] | None = None


class ConnectionUpdate(BaseModel):
    model_config = ConfigDict(strict=True, title="AccountConnectionUpdateBody")

    account_id: Identifier | None = None
    name: Name | None = None
    private_link_endpoint_id: str | None = None
    is_ssh_tunnel_enabled: bool | None = None
    oauth_configuration_id: int | None = None
    config: dict[str, Any] | None = None


class ConnectionCreation(ConnectionUpdate):
    model_config = ConfigDict(title="AccountConnectionCreateBody")

    account_id: Identifier
    name: Name
    adapter_version: AdapterVersion
    config: dict[str, Any]


router = BothSlashForms(prefix=f"{ACCOUNT_V3}/connections", tags=["connections"])

ContentDep = Annotated[dict[str, Any], Depends(read_json_object)]


def find_connection(connection_id: Id, account: AccountDep) -> Resource:
    return found(account.store.connections.find_active(connection_id))


ConnectionDep = Annotated[Resource, Depends(find_connection)]


@router.get("/", openapi_extra=graded("D", OPENAPI_V3))
def list_connections(account: AccountDep, request: Request) -> JSONResponse:
    return LISTING.read(
        request,
        account.store.connections,
        lambda connection: account_connection_in_list(account, connection),
        {"account_id": account.id},
        {"project_id": None},
    )


@router.post("/", openapi_extra=graded("D", OPENAPI_V3))
def create_connection(account: AccountDep, content: ContentDep) -> JSONResponse:
    definition = validate(ConnectionCreation, content, account.id)
    definition["config"] = check_config(definition["adapter_version"], definition["config"])
    definition["type"] = definition["adapter_version"].rpartition("_v")[0]
    return created(account_connection(account, account.store.connections.add(definition)))


@router.get("/{connection_id}/", openapi_extra=graded("D", OPENAPI_V3))
def read_connection(account: AccountDep, connection: ConnectionDep) -> JSONResponse:
    return one(account_connection(account, connection))


@router.patch("/{connection_id}/", openapi_extra=graded("D", OPENAPI_V3))
def update_connection(
    account: AccountDep, connection: ConnectionDep, content: ContentDep
) -> JSONResponse:
    """What is left out stays, inside of `config` too."""
    given = validate(ConnectionUpdate, content, account.id)

    def merge(before: Definition) -> Definition:
        config = before["config"] | given.get("config", {})
        if "config" in given:
            config = check_config(before["adapter_version"], config)
        return before | given | {"config": config}

    changed = account.store.connections.change(connection.id, merge)
    return one(account_connection(account, changed))


@router.delete("/{connection_id}/", openapi_extra=graded("D", OPENAPI_V3))
def delete_connection(account: AccountDep, connection: ConnectionDep) -> JSONResponse:
    return one(account_connection(account, account.store.connections.delete_one(connection.id)))


def validate(model: type[BaseModel], content: dict[str, Any], account_id: int) -> Definition:
    """What was given; null takes away only what can be away."""
    try:
        given = model.model_validate(content).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise InvalidDataError(str(error)) from None
    if given.pop("account_id", account_id) != account_id:
        raise InvalidRequestError(account_id=f"'{content['account_id']}' is not this account")
    return {key: value for key, value in given.items() if value is not None or key in REMOVABLE}


def check_config(adapter_version: str, config: dict[str, Any]) -> dict[str, Any]:
    """What a PostgreSQL warehouse needs; the others are kept as they are sent."""
    if adapter_version != "postgres_v0":
        return config
    try:
        return PostgresConfig.model_validate(config).model_dump(exclude_none=True)
    except ValidationError as error:
        raise InvalidDataError(str(error)) from None
