"""
The dbt Cloud page in Airflow's menu: connection, jobs, newest runs, one run as a picture.

Whoever may read dag_runs may read it; the connection is named to whoever may read connections. It
only reads.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import AirflowException
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import FileSystemLoader

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.ui.account_overview import link_to, read_account, read_run
from airflow_dbt_cloud.ui.page import may_read_connections, page_templates, render, requires


# The provider's hook has no time limit of its own; a page must.
SECONDS_FOR_A_PAGE = 15
OPEN = "/open"
ODD_ANSWER = (LookupError, TypeError, ValueError)
NO_ANSWER = (AirflowException, DbtCloudApiError, TimeoutError, *ODD_ANSWER)

T = TypeVar("T")

templates = page_templates(FileSystemLoader(Path(__file__).parent / "templates"))
app = FastAPI(title="dbt Cloud", docs_url=None, redoc_url=None, openapi_url=None)


async def _within_time(read: Callable[..., T], *arguments: object) -> T:
    return await asyncio.wait_for(asyncio.to_thread(read, *arguments), timeout=SECONDS_FOR_A_PAGE)


@app.get("/", dependencies=[Depends(requires(DagAccessEntity.RUN))])
async def show_page(
    user: GetUserDep, run_id: Annotated[int | None, Query(ge=1)] = None
) -> HTMLResponse:
    """Show the account; with a run, also its timeline, its graph and who owns what failed."""
    try:
        account = await _within_time(read_account)
        chosen = run_id or (account.runs[0]["id"] if account.runs else None)
        run = await _within_time(read_run, chosen) if chosen else None
    except NO_ANSWER as error:
        return _unreachable(error)
    may_see = may_read_connections(user)
    return render(templates, "dbt_cloud.html", account=account, run=run, with_connection=may_see)


@app.get(OPEN, dependencies=[Depends(requires(DagAccessEntity.TASK_LOGS))])
async def open_page(page: Annotated[str, Query(pattern="^/deploy/")]) -> Response:
    """Lead to a page of dbt Cloud; the local one has logs and artifacts, and asks for a key."""
    try:
        link = await _within_time(link_to, page)
    except NO_ANSWER as error:
        return _unreachable(error)
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(link, 303, headers)


def _unreachable(error: Exception) -> HTMLResponse:
    reason = str(error)
    if isinstance(error, TimeoutError):
        reason = f"dbt Cloud did not answer within {SECONDS_FOR_A_PAGE} seconds."
    elif isinstance(error, ODD_ANSWER):
        reason = f"Who answered does not answer as dbt Cloud does: {error!r}"
    return render(templates, "dbt_cloud_unreachable.html", 502, reason=reason)


@app.exception_handler(HTTPException)
async def ask_for_login(request: Request, error: HTTPException) -> Response:
    """Whoever comes from dbt Cloud without a login gets Airflow's, and then goes on."""
    if error.status_code == HTTPStatus.UNAUTHORIZED and request.url.path.endswith(OPEN):
        here = urlencode({"next": f"{request.url.path}?{request.url.query}"})
        return RedirectResponse(f"/api/v2/auth/login?{here}", 303)
    return await http_exception_handler(request, error)


class DbtCloudPagePlugin(AirflowPlugin):
    name = "dbt_cloud_page"
    fastapi_apps = [{"app": app, "url_prefix": "/dbt-cloud", "name": "dbt Cloud"}]  # noqa: RUF012 # Airflow reads a plain class attribute
    external_views = [  # noqa: RUF012 # as above
        {
            "name": "dbt Cloud",
            "href": "/dbt-cloud/",
            "url_route": "dbt-cloud",
            "destination": "nav",
            "category": "browse",
        }
    ]
