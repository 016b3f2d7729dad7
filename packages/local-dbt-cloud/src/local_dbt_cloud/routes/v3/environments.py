"""
/environments/: of a project and of the account (v3), and of v2.

dbt Cloud documents its update as a full replacement: what is left out is reset.
"""

from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.declared.trigger_request import Revision
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    EnvironmentDep,
    ProjectDep,
    found,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.routes.v3.projects import Subdirectory
from local_dbt_cloud.store.references import check_references
from local_dbt_cloud.store.removal import remove_environment
from local_dbt_cloud.store.resource_store import DELETED_STATE, Definition, Resource
from local_dbt_cloud.views.environment_views import environment_v2, environment_v3
from local_dbt_cloud.views.project_views import project_view
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import InvalidRequestError
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, OPENAPI_V2, OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import (
    integer,
    integers,
    read_related,
    split_list,
    text,
)
from local_dbt_cloud.wire.request_body import Identifier, Name, ResourceBody, body_of


FILTERS_V2 = {
    "project_id": integer,
    "project_id__in": integers,
    "dbt_version": text,
    "dbt_version__in": split_list,
    "pk": integer,
}
FILTERS_V3 = FILTERS_V2 | {
    "name": text,
    "name__icontains": text,
    "type": text,
    "deployment_type": text,
    "deployment_type__in": split_list,
    "credentials_id": integer,
    "id__gt": integer,
    "pk__in": integers,
}
V2 = f"{ACCOUNT_V2}/environments"
V3 = f"{ACCOUNT_V3}/projects/{{project_id}}/environments"
OF_ACCOUNT = f"{ACCOUNT_V3}/environments"


class EnvironmentBody(ResourceBody):
    project_id: Identifier | None = None
    name: Name
    dbt_version: Name | None = None
    type: Literal["deployment", "development"] | None = None
    deployment_type: Literal["production", "staging"] | None = None
    connection_id: Identifier | None = None
    credentials_id: Identifier | None = None
    extended_attributes_id: Identifier | None = None
    repository_id: Identifier | None = None
    use_custom_branch: bool = False
    custom_branch: Revision | None = None
    dbt_project_subdirectory: Subdirectory | None = None
    supports_docs: bool = False
    enable_model_query_history: bool = False
    enable_dbt_state: bool = False
    primary_profile_id: Identifier | None = None


BodyDep = Annotated[EnvironmentBody, Depends(body_of(EnvironmentBody))]

router = BothSlashForms(tags=["environments"])


# v3, below a project


def find_in_project(environment: EnvironmentDep, project: ProjectDep) -> Resource:
    return found(environment, project)


EnvironmentOfProjectDep = Annotated[Resource, Depends(find_in_project)]


@router.get(f"{V3}/", openapi_extra=graded("D", OPENAPI_V3))
def list_environments(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    return list_v3(account, request, project_id=project.id)


@router.post(
    f"{V3}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/environment_create_response.json")
)
def create_environment(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    definition = define(account, body, project.id)
    environment = account.store.environments.add(definition, body.state)
    view = environment_v3(account, environment)
    # As recorded: the new environment shows its project, and not yet when it was created.
    return created(view | {"created_at": None, "project": project_view(account, project)})


@router.get(f"{V3}/{{environment_id}}/", openapi_extra=graded("D", OPENAPI_V3))
def read_environment(
    account: AccountDep, environment: EnvironmentOfProjectDep, request: Request
) -> JSONResponse:
    return one(environment_v3(account, environment, read_related(request.query_params)))


@router.post(f"{V3}/{{environment_id}}/", openapi_extra=graded("D", OPENAPI_V3))
def replace_environment(
    account: AccountDep, environment: EnvironmentOfProjectDep, body: BodyDep
) -> JSONResponse:
    return one(environment_v3(account, replace(account, environment, body)))


@router.delete(
    f"{V3}/{{environment_id}}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/environment_delete_response.json"),
)
def delete_environment(account: AccountDep, environment: EnvironmentOfProjectDep) -> JSONResponse:
    return one(environment_v3(account, remove_environment(account.store, environment)))


# v3, below the account: not documented, and called by clients


@router.get(
    f"{OF_ACCOUNT}/", openapi_extra=graded("C", "dbt-labs/dbt-jobs-as-code, get_environments")
)
def list_environments_of_account(account: AccountDep, request: Request) -> JSONResponse:
    return list_v3(account, request)


@router.delete(
    f"{OF_ACCOUNT}/{{environment_id}}/", openapi_extra=graded("C", "dbtc, delete_environment")
)
def delete_environment_of_account(account: AccountDep, environment: EnvironmentDep) -> JSONResponse:
    return one(environment_v3(account, remove_environment(account.store, environment)))


# v2


@router.get(f"{V2}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/environment_list_response.json"))
def list_environments_v2(account: AccountDep, request: Request) -> JSONResponse:
    related = read_related(request.query_params)
    return Listing(FILTERS_V2).read(
        request,
        account.store.environments,
        lambda environment: environment_v2(account, environment, related),
        {"account_id": account.id},
    )


@router.post(f"{V2}/", openapi_extra=graded("D", OPENAPI_V2))
def create_environment_v2(account: AccountDep, body: BodyDep) -> JSONResponse:
    if body.project_id is None:
        raise InvalidRequestError(project_id="required key not provided")
    definition = define(account, body, body.project_id)
    return created(environment_v2(account, account.store.environments.add(definition, body.state)))


@router.get(
    f"{V2}/{{environment_id}}/",
    openapi_extra=graded("R", f"{CLI_FIXTURES}/environment_get_response.json"),
)
def read_environment_v2(
    account: AccountDep, environment: EnvironmentDep, request: Request
) -> JSONResponse:
    return one(environment_v2(account, environment, read_related(request.query_params)))


@router.post(f"{V2}/{{environment_id}}/", openapi_extra=graded("D", OPENAPI_V2))
def replace_environment_v2(
    account: AccountDep, environment: EnvironmentDep, body: BodyDep
) -> JSONResponse:
    return one(environment_v2(account, replace(account, environment, body)))


@router.delete(f"{V2}/{{environment_id}}/", openapi_extra=graded("D", OPENAPI_V2))
def delete_environment_v2(account: AccountDep, environment: EnvironmentDep) -> JSONResponse:
    return one(environment_v2(account, remove_environment(account.store, environment)))


# What they share


def list_v3(account: Account, request: Request, **within: Any) -> JSONResponse:
    related = read_related(request.query_params)
    return Listing(FILTERS_V3).read(
        request,
        account.store.environments,
        lambda environment: environment_v3(account, environment, related),
        {"account_id": account.id, **within},
        within,
    )


def define(account: Account, body: EnvironmentBody, project_id: int) -> Definition:
    if body.project_id not in {None, project_id}:
        raise InvalidRequestError(project_id=f"'{body.project_id}' is not the project of the path")
    definition = body.definition(account.id) | {"project_id": project_id}
    check_references(account.store, definition, project_id)
    return definition


def replace(account: Account, environment: Resource, body: EnvironmentBody) -> Resource:
    definition = define(account, body, environment["project_id"])
    replaced = account.store.environments.change(environment.id, lambda _: definition)
    if body.state == DELETED_STATE:
        return remove_environment(account.store, replaced)
    return replaced
