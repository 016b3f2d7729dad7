"""/projects/{id}/environments/ (v3)"""

from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from local_dbt_cloud.account import Account
from local_dbt_cloud.declared_jobs import DeclaredEnvironment
from local_dbt_cloud.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    EnvironmentDep,
    ProjectDep,
    Services,
    ServicesDep,
)
from local_dbt_cloud.envelope import one, page
from local_dbt_cloud.environment_schemas import credentials_view, environment_v3
from local_dbt_cloud.evidence import OPENAPI_V3, graded
from local_dbt_cloud.projects import connection_view, project_view, repository_view
from local_dbt_cloud.query_parameters import (
    as_echoed,
    integer,
    integers,
    matches,
    read_filters,
    read_paging,
    read_related,
    split_list,
    text,
)


FILTERS = {
    "name": text,
    "name__icontains": text,
    "type": text,
    "deployment_type": text,
    "deployment_type__in": split_list,
    "credentials_id": integer,
    "dbt_version": text,
    "dbt_version__in": split_list,
    "id__gt": integer,
    "pk": integer,
    "pk__in": integers,
    "state": integer,
}

router = BothSlashForms(
    prefix=f"{ACCOUNT_V3}/projects/{{project_id}}/environments", tags=["environments"]
)


@router.get("/", openapi_extra=graded("D", OPENAPI_V3))
def list_environments(
    account: AccountDep, project: ProjectDep, services: ServicesDep, request: Request
) -> JSONResponse:
    filters = read_filters(request.query_params, FILTERS)
    paging = read_paging(request.query_params, ("id", "name"))
    related = read_related(request.query_params)
    views = [view(account, project, each, services, related) for each in project.environments]
    found = [each for each in views if matches(each, filters)]
    order_by = paging.order_by
    found.sort(key=lambda each: each[order_by.removeprefix("-")], reverse=order_by[0] == "-")
    items = found[paging.offset : paging.offset + paging.limit]
    effective = {"account_id": account.id, "project_id": project.id, **as_echoed(filters)}
    return page(items, len(found), paging, effective)


@router.get("/{environment_id}/", openapi_extra=graded("D", OPENAPI_V3))
def read_environment(
    account: AccountDep,
    project: ProjectDep,
    environment: EnvironmentDep,
    services: ServicesDep,
    request: Request,
) -> JSONResponse:
    related = read_related(request.query_params)
    return one(view(account, project, environment, services, related))


def view(
    account: Account,
    project: ProjectDep,
    environment: DeclaredEnvironment,
    services: Services,
    related: frozenset[str],
) -> dict[str, Any]:
    shown = environment_v3(account, project.id, environment)
    warehouse = services.settings.warehouse
    if "project" in related:
        shown["project"] = project_view(account, project, warehouse)
    if "credentials" in related:
        shown["credentials"] = credentials_view(account, project.id, environment, warehouse.user)
    if "connection" in related:
        shown["connection"] = connection_view(
            account, project, environment.connection_id, warehouse
        )
    if "repository" in related:
        shown["repository"] = repository_view(account, project)
    return shown
