"""
What the SQLite file holds about webhooks.

An event is written in the transaction that changes a run, so that none is lost and none is made
twice; whether it still has to be sent, its `next_attempt_at` says.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table

from local_dbt_cloud.store.tables import UtcDateTime, metadata


subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("client_url", String, nullable=False),
    Column("event_types", JSON, nullable=False),
    # Empty for every job.
    Column("job_ids", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("hmac_secret", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("dispatched_at", UtcDateTime),
    Column("http_status_code", Integer, nullable=False, default=0),
    Column("deactivate_reason", String),
    Column("failures", Integer, nullable=False, default=0),
    Column("failing_since", UtcDateTime),
)

events = Table(
    "webhook_events",
    metadata,
    Column("id", String, primary_key=True),
    Column("subscription_id", String, nullable=False),
    Column("job_id", BigInteger, nullable=False),
    Column("event_type", String, nullable=False),
    # The body, byte for byte: its signature is made of it.
    Column("payload", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcDateTime),
    Column("http_status_code", Integer, nullable=False, default=0),
    Index("webhook_events_by_subscription", "subscription_id"),
    Index("webhook_events_to_send", "next_attempt_at"),
)

receipts = Table(
    "webhook_receipts",
    metadata,
    Column("id", String, primary_key=True),
    Column("event_id", String, nullable=False),
    Column("subscription_id", String, nullable=False),
    Column("dispatched_at", UtcDateTime, nullable=False),
    Column("http_status_code", Integer, nullable=False),
    Column("error_info", String, nullable=False),
    Column("request_body", String, nullable=False),
    Column("request_headers", String, nullable=False),
    Column("response_body", String, nullable=False),
    Index("webhook_receipts_by_event", "event_id"),
)
