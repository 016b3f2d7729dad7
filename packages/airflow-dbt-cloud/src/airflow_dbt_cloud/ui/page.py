"""
What pages in Airflow's UI have in common: their frame, and what a browser may do with them.

A page is served from Airflow's own address and shows what others wrote: names, causes, messages of
dbt. A script among it would act with the reader's login, so only this package's own one may run.
"""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import BaseLoader, Environment, StrictUndefined


def page_templates(loader: BaseLoader) -> Environment:
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    templates.filters["web_address"] = web_address
    return templates


def web_address(address: object) -> str:
    """Give an address that a click may open; `javascript:` and its like lead nowhere."""
    text = str(address)
    return text if urlsplit(text).scheme in {"http", "https"} else "#"


def render(
    templates: Environment, name: str, status_code: int = 200, **values: object
) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        # Where a bar of the timeline begins, and how long it is.
        "style-src-attr 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    )
    return HTMLResponse(
        templates.get_template(name).render(nonce=nonce, **values),
        status_code=status_code,
        headers={
            # The page shows an account's data: no shared cache may keep it.
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


def requires(entity: DagAccessEntity) -> Callable[[GetUserDep], None]:
    """
    Ask for the right to read that of every DAG.

    `requires_access_dag` would ask for the DAG that a visitor names in the address instead, and a
    page that shows all of them would be shown to whoever may read one.
    """

    def inner(user: GetUserDep) -> None:
        manager = get_auth_manager()
        if not manager.is_authorized_dag(method="GET", access_entity=entity, user=user):
            raise HTTPException(HTTPStatus.FORBIDDEN, "Forbidden")

    return inner


def may_read_connections(user: BaseUser) -> bool:
    return get_auth_manager().is_authorized_connection(method="GET", user=user)
