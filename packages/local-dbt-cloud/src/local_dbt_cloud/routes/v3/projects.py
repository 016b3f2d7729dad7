"""/projects/ (v2 and v3, which answer alike)"""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import AfterValidator, Field
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    ProjectDep,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.references import check_references
from local_dbt_cloud.store.removal import remove_project
from local_dbt_cloud.store.resource_store import DELETED_STATE, Resource
from local_dbt_cloud.views.environment_views import environment_v3
from local_dbt_cloud.views.project_views import project_view
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, OPENAPI_V2, graded
from local_dbt_cloud.wire.query_parameters import integer, integers, read_related, text
from local_dbt_cloud.wire.request_body import Identifier, Name, ResourceBody, body_of


LISTING = Listing({"name__icontains": text, "pk": integer, "pk__gt": integer, "pk__in": integers})
V2, V3 = f"{ACCOUNT_V2}/projects", f"{ACCOUNT_V3}/projects"


def stay_inside(path: str) -> str:
    """A folder of the repository, not one above or beside it."""
    if path.startswith(("/", "~")) or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"'{path}' is not a folder inside the repository")
    return path


Subdirectory = Annotated[str, AfterValidator(stay_inside)]


class ProjectBody(ResourceBody):
    name: Name
    description: str | None = None
    connection_id: Identifier | None = None
    repository_id: Identifier | None = None
    semantic_layer_config_id: Identifier | None = None
    dbt_project_subdirectory: Subdirectory | None = None
    docs_job_id: Identifier | None = None
    freshness_job_id: Identifier | None = None
    type: Annotated[int, Field(ge=0, le=1)] = 0


BodyDep = Annotated[ProjectBody, Depends(body_of(ProjectBody))]

router = BothSlashForms(tags=["projects"])


@router.get(f"{V2}/", openapi_extra=graded("D", OPENAPI_V2))
@router.get(f"{V3}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/project_list_response.json"))
def list_projects(account: AccountDep, request: Request) -> JSONResponse:
    related = read_related(request.query_params)
    return LISTING.read(
        request,
        account.store.projects,
        lambda project: related_view(account, project, related),
        {"account_id": account.id},
    )


@router.post(f"{V2}/", openapi_extra=graded("D", OPENAPI_V2))
@router.post(f"{V3}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/project_create_response.json"))
def create_project(account: AccountDep, body: BodyDep) -> JSONResponse:
    definition = body.definition(account.id)
    check_references(account.store, definition)
    project = account.store.projects.add(definition, body.state)
    return created(project_view(account, project))


@router.get(f"{V2}/{{project_id}}/", openapi_extra=graded("D", OPENAPI_V2))
@router.get(
    f"{V3}/{{project_id}}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/project_get_response.json"),
)
def read_project(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    return one(related_view(account, project, read_related(request.query_params)))


@router.post(f"{V2}/{{project_id}}/", openapi_extra=graded("D", OPENAPI_V2))
@router.post(
    f"{V3}/{{project_id}}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/project_update_response.json"),
)
def replace_project(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    definition = body.definition(account.id)
    check_references(account.store, definition)
    replaced = account.store.projects.change(project.id, lambda _: definition)
    if body.state == DELETED_STATE:
        replaced = remove_project(account.store, replaced)
    return one(project_view(account, replaced))


@router.delete(f"{V2}/{{project_id}}/", openapi_extra=graded("D", OPENAPI_V2))
@router.delete(
    f"{V3}/{{project_id}}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/project_delete_response.json"),
)
def delete_project(account: AccountDep, project: ProjectDep) -> JSONResponse:
    return one(project_view(account, remove_project(account.store, project)))


def related_view(account: Account, project: Resource, related: frozenset[str]) -> dict[str, Any]:
    """`environments` is no documented value; dbt-mcp asks for it and lists what it gets."""
    shown = project_view(account, project, related)
    if "environments" in related:
        environments = account.store.environments.active(project_id=project.id)
        shown["environments"] = [environment_v3(account, each) for each in environments]
    return shown
