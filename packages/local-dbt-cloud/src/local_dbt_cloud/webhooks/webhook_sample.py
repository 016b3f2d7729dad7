"""What the test of a webhook sends: an event of the kind that it wants, about no real run."""

from typing import Any

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.store.webhook_store import Record
from local_dbt_cloud.webhooks.webhook_payload import EVENTS, Addressee, RunFacts, write_payload
from local_dbt_cloud.wire.ksuid import new_id
from local_dbt_cloud.wire.timestamps import now


def sample_event(account_id: int, subscription: Record) -> dict[str, Any]:
    """Of its first event type; all ids are 0, which no run, job or project has."""
    event_id, event_type, moment = new_id("wev"), subscription["event_types"][0], now()
    status = next(status for status, types in EVENTS.items() if event_type in types)
    facts = RunFacts(
        job_id=0,
        job_name="Test of a webhook",
        run_id=0,
        environment_id=0,
        environment_name="Test of a webhook",
        dbt_version="",
        project_name="Test of a webhook",
        project_id=0,
        status=RunStatus(status),
        status_message=None,
        reason="Test of a webhook",
        started_at=moment,
        finished_at=moment,
    )
    to = Addressee(account_id, subscription["id"], subscription["name"])
    return {
        "id": event_id,
        "subscription_id": subscription["id"],
        "job_id": 0,
        "event_type": event_type,
        "payload": write_payload(to, event_id, event_type, facts),
    }
