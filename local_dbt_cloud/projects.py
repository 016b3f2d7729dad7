"""/projects/ (v3)"""

from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from local_dbt_cloud.account import Account
from local_dbt_cloud.declared_jobs import DeclaredProject
from local_dbt_cloud.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    ProjectDep,
    ServicesDep,
)
from local_dbt_cloud.envelope import one, page
from local_dbt_cloud.evidence import CLI_FIXTURES, graded
from local_dbt_cloud.query_parameters import (
    as_echoed,
    integer,
    integers,
    matches,
    read_filters,
    read_paging,
    text,
)
from local_dbt_cloud.settings import Warehouse
from local_dbt_cloud.timestamps import spaced


FILTERS = {
    "name__icontains": text,
    "pk": integer,
    "pk__gt": integer,
    "pk__in": integers,
    "state": integer,
}

router = BothSlashForms(prefix=f"{ACCOUNT_V3}/projects", tags=["projects"])


@router.get("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/project_list_response.json"))
def list_projects(account: AccountDep, services: ServicesDep, request: Request) -> JSONResponse:
    filters = read_filters(request.query_params, FILTERS)
    paging = read_paging(request.query_params, ("id", "name"))
    views = [
        project_view(account, project, services.settings.warehouse)
        for project in account.projects.values()
    ]
    found = [view for view in views if matches(view, filters)]
    order_by = paging.order_by
    found.sort(key=lambda view: view[order_by.removeprefix("-")], reverse=order_by[0] == "-")
    items = found[paging.offset : paging.offset + paging.limit]
    return page(items, len(found), paging, {"account_id": account.id, **as_echoed(filters)})


@router.get(
    "/{project_id}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/project_get_response.json")
)
def read_project(account: AccountDep, project: ProjectDep, services: ServicesDep) -> JSONResponse:
    return one(project_view(account, project, services.settings.warehouse))


def project_view(
    account: Account, project: DeclaredProject, warehouse: Warehouse
) -> dict[str, Any]:
    connection_id = project.environments[0].connection_id if project.environments else None
    return {
        "id": project.id,
        "name": project.name,
        "account_id": account.id,
        "description": project.description,
        "connection_id": connection_id,
        "repository_id": project.repository_id,
        "semantic_layer_config_id": None,
        "skipped_setup": False,
        "state": 1,
        "dbt_project_subdirectory": None,
        "connection": connection_id and connection_view(account, project, connection_id, warehouse),
        "repository": repository_view(account, project),
        "group_permissions": [],
        "docs_job_id": None,
        "freshness_job_id": None,
        "docs_job": None,
        "freshness_job": None,
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
        "environments": None,
        "fusion_readiness": None,
        "default_version": None,
        "type": 0,
    }


def connection_view(
    account: Account, project: DeclaredProject, connection_id: int, warehouse: Warehouse
) -> dict[str, Any]:
    connection = account.connection(connection_id)
    return {
        "id": connection.id,
        "account_id": account.id,
        "project_id": project.id,
        "name": connection.name,
        "type": connection.type,
        "created_by_id": None,
        "created_by_service_token_id": None,
        "details": {
            "hostname": warehouse.host,
            # dbt Cloud has no `host`; Airflow's OpenLineage looks for it and fails without.
            "host": warehouse.host,
            "dbname": warehouse.database,
            "port": warehouse.port,
            "tunnel_enabled": False,
        },
        "state": 1,
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
    }


def repository_view(account: Account, project: DeclaredProject) -> dict[str, Any]:
    return {
        "id": project.repository_id,
        "account_id": account.id,
        "project_id": project.id,
        "full_name": project.name,
        "remote_url": project.folder.as_uri(),
        "remote_backend": None,
        "git_clone_strategy": "local_folder",
        "deploy_key_id": None,
        "repository_credentials_id": None,
        "github_installation_id": None,
        "pull_request_url_template": None,
        "state": 1,
        "created_at": spaced(account.created_at),
        "updated_at": spaced(account.created_at),
        "deploy_key": None,
        "github_repo": None,
        "name": project.name,
        "git_provider_id": None,
        "gitlab": None,
        "git_provider": None,
    }
