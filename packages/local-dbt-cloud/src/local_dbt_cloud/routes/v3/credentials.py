"""/projects/{id}/credentials/ (v3): who logs in to a warehouse, and with which schema."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import Field
from starlette.responses import JSONResponse

from local_dbt_cloud.declared.trigger_request import SchemaName, TargetName
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ProjectDep,
    found,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.views.credentials_views import credentials_view
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.evidence import OPENAPI_V3, graded
from local_dbt_cloud.wire.request_body import Identifier, Name, ResourceBody, body_of


LISTING = Listing({}, orders=("id", "created_at", "updated_at"))

router = BothSlashForms(
    prefix=f"{ACCOUNT_V3}/projects/{{project_id}}/credentials", tags=["credentials"]
)


class CredentialsUpdate(ResourceBody):
    """`credential_details` is how other adapters have it: kept, not used."""

    type: Name | None = None
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    username: Name | None = None
    password: Name | None = None
    default_schema: SchemaName | None = None
    target_name: TargetName | None = None
    adapter_version: str | None = None
    adapter_id: Identifier | None = None
    credential_details: dict[str, Any] | None = None


class CredentialsBody(CredentialsUpdate):
    type: Name


BodyDep = Annotated[CredentialsBody, Depends(body_of(CredentialsBody))]
UpdateDep = Annotated[CredentialsUpdate, Depends(body_of(CredentialsUpdate))]


def find_credentials(credentials_id: Id, account: AccountDep, project: ProjectDep) -> Resource:
    return found(account.store.credentials.find_active(credentials_id), project)


CredentialsDep = Annotated[Resource, Depends(find_credentials)]


@router.get("/", openapi_extra=graded("D", OPENAPI_V3))
def list_credentials(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    return LISTING.read(
        request,
        account.store.credentials,
        lambda credentials: credentials_view(account, credentials),
        {"account_id": account.id, "project_id": project.id},
        {"project_id": project.id},
    )


@router.post("/", openapi_extra=graded("D", OPENAPI_V3))
def create_credentials(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    definition = body.definition(account.id) | {"project_id": project.id}
    return created(credentials_view(account, account.store.credentials.add(definition, body.state)))


@router.get("/{credentials_id}/", openapi_extra=graded("D", OPENAPI_V3))
def read_credentials(account: AccountDep, credentials: CredentialsDep) -> JSONResponse:
    return one(credentials_view(account, credentials))


@router.post("/{credentials_id}/", openapi_extra=graded("D", OPENAPI_V3))
def replace_credentials(
    account: AccountDep, credentials: CredentialsDep, body: BodyDep
) -> JSONResponse:
    """The password alone stays when it is left out: no client can read it to send it back."""
    given = body.definition(account.id) | {"project_id": credentials["project_id"]}
    changed = account.store.credentials.change(
        credentials.id, lambda before: {"password": before["password"], **given}, body.state
    )
    return one(credentials_view(account, changed))


@router.patch("/{credentials_id}/", openapi_extra=graded("D", OPENAPI_V3))
def update_credentials(
    account: AccountDep, credentials: CredentialsDep, body: UpdateDep
) -> JSONResponse:
    given = body.definition(account.id)
    changed = account.store.credentials.change(
        credentials.id, lambda before: before | given, body.state
    )
    return one(credentials_view(account, changed))


@router.delete("/{credentials_id}/", openapi_extra=graded("D", OPENAPI_V3))
def delete_credentials(account: AccountDep, credentials: CredentialsDep) -> JSONResponse:
    return one(credentials_view(account, account.store.credentials.delete_one(credentials.id)))
