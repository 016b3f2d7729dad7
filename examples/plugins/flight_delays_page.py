"""
The Flight delays page in Airflow's menu: the chart and the metrics of every month that was trained.

Whoever may read the DAG flight_delays may read it. It only reads.
"""

import asyncio
import base64
from pathlib import Path

import psycopg
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader

from airflow_dbt_cloud.ui.page import page_templates, render
from examples.include.flight_delays.published_models import PublishedModel, published
from examples.include.flight_delays.tasks import connect


templates = page_templates(
    # The second has the frame that the page of dbt Cloud has too.
    ChoiceLoader(
        [
            FileSystemLoader(Path(__file__).parent / "templates"),
            PackageLoader("airflow_dbt_cloud.ui"),
        ]
    )
)
# As a picture of its own, what is in an SVG can load and run nothing.
templates.filters["as_picture"] = lambda svg: (
    f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
)
app = FastAPI(title="Flight delays", docs_url=None, redoc_url=None, openapi_url=None)


def _read() -> list[PublishedModel]:
    with connect() as warehouse:
        return published(warehouse)


@app.get("/", dependencies=[Depends(requires_access_dag("GET", param_dag_id="flight_delays"))])
async def show_page() -> HTMLResponse:
    """Show every month, the newest first; or why the warehouse cannot be read."""
    models, reason = [], ""
    try:
        models = await asyncio.to_thread(_read)
    except (psycopg.Error, AirflowNotFoundException) as error:
        reason = str(error)
    status = 502 if reason else 200
    return render(templates, "flight_delays.html", status, models=models, reason=reason)


class FlightDelaysPagePlugin(AirflowPlugin):
    name = "flight_delays_page"
    fastapi_apps = [{"app": app, "url_prefix": "/flight-delays", "name": "Flight delays"}]  # noqa: RUF012 # Airflow reads a plain class attribute
    external_views = [  # noqa: RUF012 # as above
        {
            "name": "Flight delays",
            "href": "/flight-delays/",
            "url_route": "flight-delays",
            "destination": "nav",
            "category": "browse",
        }
    ]
