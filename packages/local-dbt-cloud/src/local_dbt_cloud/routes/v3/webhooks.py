"""/webhooks/ (v3): who is told about runs, and what became of it. No slash ends these paths."""

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from pydantic import AfterValidator, BeforeValidator, Field
from sqlalchemy import Table
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import ACCOUNT_V3, AccountDep, BothSlashForms, ServicesDep
from local_dbt_cloud.store.webhook_store import Record, WebhookStore
from local_dbt_cloud.store.webhook_tables import events, receipts, subscriptions
from local_dbt_cloud.views.webhook_views import event_view, receipt_view, subscription_view
from local_dbt_cloud.webhooks.webhook_sample import sample_event
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import read_paging
from local_dbt_cloud.wire.request_body import Identifier, Name, ResourceBody, body_of


DOCS = "docs.getdbt.com docs/deploy/webhooks"
LIMIT = 10


def check_url(url: str) -> str:
    parts = urlsplit(url)
    # Asking for the port raises ValueError for one that cannot be.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f"'{url}' is not an http or https address")
    return url


def as_number(job_id: Any) -> Any:
    """Clients send the texts that they have read, or numbers."""
    is_number = isinstance(job_id, str) and re.fullmatch("[0-9]{1,19}", job_id)
    return int(job_id) if is_number else job_id


JobId = Annotated[Identifier, BeforeValidator(as_number)]


class SubscriptionBody(ResourceBody):
    name: Name
    description: str | None = None
    client_url: Annotated[str, AfterValidator(check_url)]
    event_types: Annotated[
        list[Literal["job.run.started", "job.run.completed", "job.run.errored"]],
        Field(min_length=1),
    ]
    job_ids: list[JobId] | None = None
    active: bool

    def values(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description or "",
            "client_url": self.client_url,
            "event_types": list(self.event_types),
            "job_ids": self.job_ids or [],
            "active": self.active,
        }


BodyDep = Annotated[SubscriptionBody, Depends(body_of(SubscriptionBody))]


def find_webhooks(account: AccountDep) -> WebhookStore:
    return account.store.webhooks


WebhooksDep = Annotated[WebhookStore, Depends(find_webhooks)]


def find_subscription(subscription_id: str, webhooks: WebhooksDep) -> Record:
    return found(webhooks, subscriptions, subscription_id)


def find_event(event_id: str, webhooks: WebhooksDep) -> Record:
    return found(webhooks, events, event_id)


SubscriptionDep = Annotated[Record, Depends(find_subscription)]
EventDep = Annotated[Record, Depends(find_event)]

router = BothSlashForms(prefix=f"{ACCOUNT_V3}/webhooks", tags=["webhooks"])


@router.get("/subscriptions", openapi_extra=graded("D", DOCS))
def list_subscriptions(
    account: AccountDep, webhooks: WebhooksDep, request: Request
) -> JSONResponse:
    return page(webhooks, subscriptions, request, lambda record: subscription_view(account, record))


@router.post("/subscriptions", openapi_extra=graded("D", DOCS))
def create_subscription(account: AccountDep, webhooks: WebhooksDep, body: BodyDep) -> JSONResponse:
    """The one answer that has the secret."""
    body.definition(account.id)  # refuses another account's
    secret = secrets.token_urlsafe(32)
    new = webhooks.add_subscription(**body.values(), hmac_secret=secret)
    return answer({**subscription_view(account, new), "hmac_secret": secret}, 201)


@router.get("/subscription/{subscription_id}", openapi_extra=graded("D", DOCS))
def read_subscription(account: AccountDep, subscription: SubscriptionDep) -> JSONResponse:
    return answer(subscription_view(account, subscription))


@router.put("/subscription/{subscription_id}", openapi_extra=graded("D", DOCS))
def replace_subscription(
    account: AccountDep, subscription: SubscriptionDep, webhooks: WebhooksDep, body: BodyDep
) -> JSONResponse:
    """Also the way to reactivate one that has been deactivated."""
    body.definition(account.id)  # as above
    changed = webhooks.change_subscription(subscription["id"], **body.values())
    if changed is None:
        raise NotFoundError
    return answer(subscription_view(account, changed))


@router.delete("/subscription/{subscription_id}", openapi_extra=graded("D", DOCS))
def delete_subscription(subscription: SubscriptionDep, webhooks: WebhooksDep) -> JSONResponse:
    webhooks.delete_subscription(subscription["id"])
    status = {"code": 200, "is_success": True}
    return JSONResponse({"data": {"id": subscription["id"]}, "status": status})


@router.get("/subscription/{subscription_id}/test", openapi_extra=graded("D", DOCS))
def try_subscription(
    account: AccountDep, subscription: SubscriptionDep, services: ServicesDep
) -> JSONResponse:
    """Send an event now, about a run that never was."""
    event = account.store.webhooks.add_event(**sample_event(account.id, subscription))
    attempt = services.webhooks.send_now(event, subscription)
    return answer(
        {
            "verification_error": attempt.error_info or None,
            "verification_status_code": str(attempt.http_status_code),
            "event_id": event["id"],
        }
    )


@router.get("/subscription/{subscription_id}/events", openapi_extra=graded("D", OPENAPI_V3))
def list_events(
    account: AccountDep, subscription: SubscriptionDep, webhooks: WebhooksDep, request: Request
) -> JSONResponse:
    return page(
        webhooks,
        events,
        request,
        lambda record: event_view(account, record),
        subscription_id=subscription["id"],
    )


@router.get(
    "/subscription/{subscription_id}/event/{event_id}/receipt",
    openapi_extra=graded("D", OPENAPI_V3),
)
def list_receipts_of_subscription(
    subscription: SubscriptionDep, event: EventDep, webhooks: WebhooksDep
) -> JSONResponse:
    if event["subscription_id"] != subscription["id"]:
        raise NotFoundError
    return list_receipts(event, webhooks)


@router.get("/event/{event_id}", openapi_extra=graded("D", OPENAPI_V3))
def read_event(account: AccountDep, event: EventDep) -> JSONResponse:
    return answer(event_view(account, event))


@router.get("/event/{event_id}/receipts", openapi_extra=graded("D", OPENAPI_V3))
def list_receipts(event: EventDep, webhooks: WebhooksDep) -> JSONResponse:
    """One for each attempt, the newest first; never cut into pages."""
    attempts, _ = webhooks.page(receipts, event["attempts"] + 1, 0, event_id=event["id"])
    return answer([receipt_view(attempt) for attempt in attempts])


@router.get("/receipt/{receipt_id}", openapi_extra=graded("D", OPENAPI_V3))
def read_receipt(receipt_id: str, webhooks: WebhooksDep) -> JSONResponse:
    return answer(receipt_view(found(webhooks, receipts, receipt_id)))


def found(webhooks: WebhookStore, table: Table, identifier: str) -> Record:
    record = webhooks.find(table, identifier)
    if record is None:
        raise NotFoundError
    return record


def answer(data: Any, code: int = 200) -> JSONResponse:
    """As documented: a status with less in it than the others'."""
    return JSONResponse({"data": data, "status": {"code": code}}, code)


def page(
    webhooks: WebhookStore,
    table: Table,
    request: Request,
    view: Callable[[Record], dict[str, Any]],
    **where: str,
) -> JSONResponse:
    paging = read_paging(request.query_params, limit=LIMIT)
    records, total = webhooks.page(table, paging.limit, paging.offset, **where)
    extra = {
        "pagination": {"total_count": total, "count": len(records)},
        "filters": {"offset": paging.offset, "limit": paging.limit},
    }
    data = [view(record) for record in records]
    return JSONResponse({"data": data, "status": {"code": 200}, "extra": extra})
