"""/projects/{id}/repositories/ (v3) and /repositories/ (v2): where a project's files come from."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import AfterValidator
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.declared.jobs_file_account import check_git_url
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ProjectDep,
    found,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.references import check_references
from local_dbt_cloud.store.resource_store import Definition, Resource
from local_dbt_cloud.views.repository_views import repository_v2, repository_v3
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import InvalidRequestError
from local_dbt_cloud.wire.evidence import OPENAPI_V2, OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import integer, integers, text
from local_dbt_cloud.wire.request_body import MISSING, Identifier, Name, ResourceBody, body_of


LISTING = Listing(
    {"pk": integer, "project_id": integer, "project_id__in": integers, "remote_url": text},
    orders=("id", "created_at", "updated_at"),
)
V2 = f"{ACCOUNT_V2}/repositories"
V3 = f"{ACCOUNT_V3}/projects/{{project_id}}/repositories"


class RepositoryBody(ResourceBody):
    project_id: Identifier | None = None
    remote_url: Annotated[str, AfterValidator(check_git_url)] | None = None
    full_name: Name | None = None
    remote_backend: str | None = None
    git_clone_strategy: Name | None = None
    deploy_key_id: Identifier | None = None
    repository_credentials_id: Identifier | None = None
    github_installation_id: Identifier | None = None
    github_webhook_id: Identifier | None = None
    git_provider_id: Identifier | None = None
    gitlab_project_id: Identifier | None = None
    private_link_endpoint_id: str | None = None
    pull_request_url_template: str | None = None


BodyDep = Annotated[RepositoryBody, Depends(body_of(RepositoryBody))]


def find_repository(repository_id: Id, account: AccountDep) -> Resource:
    return found(account.store.repositories.find_active(repository_id))


RepositoryDep = Annotated[Resource, Depends(find_repository)]


def find_in_project(repository: RepositoryDep, project: ProjectDep) -> Resource:
    return found(repository, project)


RepositoryOfProjectDep = Annotated[Resource, Depends(find_in_project)]

router = BothSlashForms(tags=["repositories"])


@router.get(f"{V3}/", openapi_extra=graded("D", OPENAPI_V3))
def list_repositories(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    return LISTING.read(
        request,
        account.store.repositories,
        lambda repository: repository_v3(account, repository),
        {"account_id": account.id, "project_id": project.id},
        {"project_id": project.id},
    )


@router.post(f"{V3}/", openapi_extra=graded("D", OPENAPI_V3))
def create_repository(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    repository = account.store.repositories.add(define(account, body, project.id), body.state)
    return created(repository_v3(account, repository))


@router.get(f"{V3}/{{repository_id}}/", openapi_extra=graded("D", OPENAPI_V3))
def read_repository(account: AccountDep, repository: RepositoryOfProjectDep) -> JSONResponse:
    return one(repository_v3(account, repository))


@router.post(f"{V3}/{{repository_id}}/", openapi_extra=graded("D", OPENAPI_V3))
def replace_repository(
    account: AccountDep, repository: RepositoryOfProjectDep, body: BodyDep
) -> JSONResponse:
    definition = define(account, body, repository["project_id"])
    replaced = account.store.repositories.change(repository.id, lambda _: definition, body.state)
    return one(repository_v3(account, replaced))


@router.delete(f"{V3}/{{repository_id}}/", openapi_extra=graded("D", OPENAPI_V3))
def delete_repository(account: AccountDep, repository: RepositoryOfProjectDep) -> JSONResponse:
    return one(repository_v3(account, account.store.repositories.delete_one(repository.id)))


@router.get(f"{V2}/", openapi_extra=graded("D", OPENAPI_V2))
def list_repositories_v2(account: AccountDep, request: Request) -> JSONResponse:
    return LISTING.read(
        request,
        account.store.repositories,
        lambda repository: repository_v2(account, repository),
        {"account_id": account.id},
    )


@router.post(f"{V2}/", openapi_extra=graded("D", OPENAPI_V2))
def create_repository_v2(account: AccountDep, body: BodyDep) -> JSONResponse:
    if body.project_id is None:
        raise InvalidRequestError(project_id=MISSING)
    definition = define(account, body, body.project_id)
    return created(repository_v2(account, account.store.repositories.add(definition, body.state)))


@router.get(f"{V2}/{{repository_id}}/", openapi_extra=graded("D", OPENAPI_V2))
def read_repository_v2(account: AccountDep, repository: RepositoryDep) -> JSONResponse:
    return one(repository_v2(account, repository))


@router.delete(f"{V2}/{{repository_id}}/", openapi_extra=graded("D", OPENAPI_V2))
def delete_repository_v2(account: AccountDep, repository: RepositoryDep) -> JSONResponse:
    return one(repository_v2(account, account.store.repositories.delete_one(repository.id)))


def define(account: Account, body: RepositoryBody, project_id: int) -> Definition:
    if body.project_id not in {None, project_id}:
        raise InvalidRequestError(project_id=f"'{body.project_id}' is not the project of the path")
    definition = body.definition(account.id) | {"project_id": project_id}
    check_references(account.store, {"project_id": project_id})
    if not definition.get("remote_url"):
        raise InvalidRequestError(remote_url=MISSING)
    return {"full_name": name_of(definition["remote_url"]), **definition}


def name_of(remote_url: str) -> str:
    """`git@host:owner/name.git` and `file:///…/name`, both without what is around the name."""
    return remote_url.rstrip("/").removesuffix(".git").rpartition("/")[2] or remote_url
