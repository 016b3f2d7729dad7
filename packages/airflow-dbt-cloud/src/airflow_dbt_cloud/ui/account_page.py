"""
The dbt Cloud page in Airflow's menu: connection, jobs, newest runs, one run as a picture.

It asks for Airflow's login like every other page, and only reads.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import AirflowException
from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.ui.account_overview import read_account, read_run


# The provider's hook has no time limit of its own; a page must.
SECONDS_FOR_A_PAGE = 15

T = TypeVar("T")

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
)
app = FastAPI(title="dbt Cloud", docs_url=None, redoc_url=None, openapi_url=None)


async def _within_time(read: Callable[..., T], *arguments: int) -> T:
    return await asyncio.wait_for(asyncio.to_thread(read, *arguments), timeout=SECONDS_FOR_A_PAGE)


@app.get("/", dependencies=[Depends(get_user)])
async def show_page(run_id: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """Show the account; with a run, also its timeline, its graph and who owns what failed."""
    try:
        account = await _within_time(read_account)
        chosen = run_id or (account.runs[0]["id"] if account.runs else None)
        run = await _within_time(read_run, chosen) if chosen else None
    except (AirflowException, DbtCloudApiError, TimeoutError) as error:
        reason = str(error) or f"dbt Cloud did not answer within {SECONDS_FOR_A_PAGE} seconds."
        return _page("dbt_cloud_unreachable.html", status_code=502, reason=reason)
    return _page("dbt_cloud.html", account=account, run=run)


def _page(template: str, status_code: int = 200, **values: object) -> HTMLResponse:
    # The page shows an account's data: no shared cache may keep it.
    return HTMLResponse(
        templates.get_template(template).render(**values),
        status_code=status_code,
        headers={"Cache-Control": "no-store"},
    )


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
