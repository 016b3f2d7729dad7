"""Webhooks as clients see them: nearly everything is a text, and nothing is null."""

from datetime import datetime
from typing import Any

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.store.webhook_store import Record


ACCOUNT_IDENTIFIER = "act_local"


def subscription_view(account: Account, subscription: Record) -> dict[str, Any]:
    """The secret is not in it: only the answer to the creation has it."""
    shown = {
        "id": subscription["id"],
        "account_identifier": ACCOUNT_IDENTIFIER,
        "name": subscription["name"],
        "description": subscription["description"],
        "job_ids": [str(job_id) for job_id in subscription["job_ids"]],
        "event_types": subscription["event_types"],
        "client_url": subscription["client_url"],
        "active": subscription["active"],
        "created_at": microseconds(subscription["created_at"]),
        "updated_at": microseconds(subscription["updated_at"]),
        "account_id": str(account.id),
        "http_status_code": str(subscription["http_status_code"]),
    }
    if subscription["dispatched_at"]:
        shown["dispatched_at"] = microseconds(subscription["dispatched_at"])
    if subscription["deactivate_reason"]:
        shown["deactivate_reason"] = subscription["deactivate_reason"]
    return shown


def event_view(account: Account, event: Record) -> dict[str, Any]:
    return {
        "id": event["id"],
        "subscription_id": event["subscription_id"],
        "account_identifier": ACCOUNT_IDENTIFIER,
        "job_id": str(event["job_id"]),
        "trigger_event_type": event["event_type"],
        "payload": event["payload"],
        "http_status_code": str(event["http_status_code"]),
        "account_id": str(account.id),
    }


def receipt_view(receipt: Record) -> dict[str, Any]:
    return {
        "id": receipt["id"],
        "event_id": receipt["event_id"],
        "subscription_id": receipt["subscription_id"],
        "dispatched_at": microseconds(receipt["dispatched_at"]),
        "http_status_code": str(receipt["http_status_code"]),
        "error_info": receipt["error_info"],
        "request_body": receipt["request_body"],
        "request_headers": receipt["request_headers"],
        "response_body": receipt["response_body"],
    }


def microseconds(moment: datetime) -> str:
    """`1675735768491774`: since 1970, as documented."""
    return str(int(moment.timestamp()) * 1_000_000 + moment.microsecond)
