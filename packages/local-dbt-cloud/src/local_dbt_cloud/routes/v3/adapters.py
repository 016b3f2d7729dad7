"""/projects/{id}/adapters/ (v3): what older connections of some warehouses were made of. Kept."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ProjectDep,
    found,
)
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.evidence import OPENAPI_V3, graded
from local_dbt_cloud.wire.request_body import Name, ResourceBody, body_of
from local_dbt_cloud.wire.timestamps import spaced


class AdapterBody(ResourceBody):
    adapter_version: Name
    metadata_json: Any = None


BodyDep = Annotated[AdapterBody, Depends(body_of(AdapterBody))]

router = BothSlashForms(prefix=f"{ACCOUNT_V3}/projects/{{project_id}}/adapters", tags=["adapters"])


def find_adapter(adapter_id: Id, account: AccountDep, project: ProjectDep) -> Resource:
    return found(account.store.adapters.find_active(adapter_id), project)


AdapterDep = Annotated[Resource, Depends(find_adapter)]


@router.post("/", openapi_extra=graded("D", OPENAPI_V3))
def create_adapter(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    definition = body.definition(account.id) | {"project_id": project.id}
    return created(adapter_view(account, account.store.adapters.add(definition, body.state)))


@router.get("/{adapter_id}/", openapi_extra=graded("D", OPENAPI_V3))
def read_adapter(account: AccountDep, adapter: AdapterDep) -> JSONResponse:
    return one(adapter_view(account, adapter))


@router.post("/{adapter_id}/", openapi_extra=graded("D", OPENAPI_V3))
def replace_adapter(account: AccountDep, adapter: AdapterDep, body: BodyDep) -> JSONResponse:
    definition = body.definition(account.id) | {"project_id": adapter["project_id"]}
    replaced = account.store.adapters.change(adapter.id, lambda _: definition, body.state)
    return one(adapter_view(account, replaced))


@router.delete("/{adapter_id}/", openapi_extra=graded("D", OPENAPI_V3))
def delete_adapter(account: AccountDep, adapter: AdapterDep) -> JSONResponse:
    return one(adapter_view(account, account.store.adapters.delete_one(adapter.id)))


def adapter_view(account: Account, adapter: Resource) -> dict[str, Any]:
    return {
        "id": adapter.id,
        "account_id": account.id,
        "project_id": adapter["project_id"],
        "created_by_id": None,
        "created_by_service_token_id": None,
        "adapter_version": adapter["adapter_version"],
        "metadata_json": adapter["metadata_json"],
        "state": adapter.state,
        "created_at": spaced(adapter.created_at),
        "updated_at": spaced(adapter.updated_at),
    }
