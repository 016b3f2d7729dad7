"""/projects/{id}/connections/ (v3): where a project's environments find their warehouse."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ProjectDep,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.resource_store import Definition, Resource
from local_dbt_cloud.views.connection_views import connection_v3
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import boolean, integer, text
from local_dbt_cloud.wire.request_body import Name, ResourceBody, body_of


OFF = {
    "has_catalog_ingestion_enabled": False,
    "has_cost_insights_enabled": False,
    "has_cost_management_enabled": False,
    "has_platform_metadata_credentials": False,
}
LISTING = Listing(
    {"adapter_version": text, "pk": integer, **dict.fromkeys(OFF, boolean)}, always=OFF
)

router = BothSlashForms(
    prefix=f"{ACCOUNT_V3}/projects/{{project_id}}/connections", tags=["connections"]
)


class ConnectionBody(ResourceBody):
    name: Name
    type: Literal["postgres", "redshift", "snowflake", "bigquery", "adapter"]
    adapter_version: str | None = None
    details: dict[str, Any] | None = None
    private_link_endpoint_id: str | None = None
    oauth_configuration_id: int | None = None


BodyDep = Annotated[ConnectionBody, Depends(body_of(ConnectionBody))]


def find_connection(connection_id: Id, account: AccountDep, project: ProjectDep) -> Resource:
    """One of the project, or one of the account, which every project may use."""
    found = account.store.connections.find_active(connection_id)
    if found is None or found["project_id"] not in {None, project.id}:
        raise NotFoundError
    return found


ConnectionDep = Annotated[Resource, Depends(find_connection)]


@router.get("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/connection_list_response.json"))
def list_connections(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    """The project's own, and those of the account that the project or an environment uses."""
    return LISTING.read(
        request,
        account.store.connections,
        lambda connection: connection_v3(account, connection, project.id),
        {"account_id": account.id, "project_id": project.id},
        {"pk__in": used_connections(account, project)},
    )


@router.post("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/connection_create_response.json"))
def create_connection(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    definition = define(account, project, body)
    return created(connection_v3(account, account.store.connections.add(definition, body.state)))


@router.get(
    "/{connection_id}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/connection_get_response.json"),
)
def read_connection(
    account: AccountDep, project: ProjectDep, connection: ConnectionDep
) -> JSONResponse:
    return one(connection_v3(account, connection, project.id))


@router.post("/{connection_id}/", openapi_extra=graded("D", OPENAPI_V3))
def replace_connection(
    account: AccountDep, project: ProjectDep, connection: ConnectionDep, body: BodyDep
) -> JSONResponse:
    definition = define(account, project, body) | {"project_id": connection["project_id"]}
    replaced = account.store.connections.change(connection.id, lambda _: definition, body.state)
    return one(connection_v3(account, replaced, project.id))


@router.delete(
    "/{connection_id}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/connection_delete_response.json"),
)
def delete_connection(
    account: AccountDep, project: ProjectDep, connection: ConnectionDep
) -> JSONResponse:
    deleted = account.store.connections.delete_one(connection.id)
    return one(connection_v3(account, deleted, project.id))


def used_connections(account: Account, project: Resource) -> list[int]:
    own = {each.id for each in account.store.connections.every(project_id=project.id)}
    environments = account.store.environments.active(project_id=project.id)
    used = {each["connection_id"] for each in environments} | {project["connection_id"]}
    return sorted(own | used - {None})


def define(account: Account, project: Resource, body: ConnectionBody) -> Definition:
    definition = body.definition(account.id) | {"project_id": project.id}
    definition["config"] = definition.pop("details", {})
    if body.type != "adapter":
        definition.setdefault("adapter_version", f"{body.type}_v0")
    return definition
