"""Turns the new state of a run into events, for every subscription that wants to hear of it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from local_dbt_cloud.store.resource_tables import environments, jobs, projects
from local_dbt_cloud.store.store import Run
from local_dbt_cloud.store.webhook_tables import events, subscriptions
from local_dbt_cloud.webhooks.webhook_payload import EVENTS, Addressee, RunFacts, write_payload
from local_dbt_cloud.wire.ksuid import new_id
from local_dbt_cloud.wire.timestamps import now


class RunEvents:
    """Listens to the store: an event is written in the transaction that changes the run."""

    def __init__(self, account_id: int, when_written: Callable[[], None]) -> None:
        self.account_id, self.when_written = account_id, when_written

    def note(self, transaction: Connection, run: Run) -> None:
        wanted = list(
            transaction.execute(select(subscriptions).where(subscriptions.c.active)).mappings()
        )
        facts = read_facts(transaction, run) if wanted else None
        for subscription in wanted if facts else ():
            if subscription["job_ids"] and run.job_id not in subscription["job_ids"]:
                continue
            for event_type in EVENTS.get(run.status, ()):
                if event_type in subscription["event_types"] and facts:
                    self._write(transaction, subscription, event_type, facts)

    def committed(self) -> None:
        self.when_written()

    def _write(
        self, transaction: Connection, subscription: Any, event_type: str, facts: RunFacts
    ) -> None:
        event_id, moment = new_id("wev"), now()
        to = Addressee(self.account_id, subscription["id"], subscription["name"])
        transaction.execute(
            insert(events).values(
                id=event_id,
                subscription_id=subscription["id"],
                job_id=facts.job_id,
                event_type=event_type,
                payload=write_payload(to, event_id, event_type, facts),
                created_at=moment,
                next_attempt_at=moment,
            )
        )


def read_facts(transaction: Connection, run: Run) -> RunFacts:
    return RunFacts(
        job_id=run.job_id,
        job_name=name_of(transaction, jobs, run.job_id),
        run_id=run.id,
        environment_id=run.environment_id,
        environment_name=name_of(transaction, environments, run.environment_id),
        dbt_version=run.dbt_version,
        project_name=name_of(transaction, projects, run.project_id),
        project_id=run.project_id,
        status=run.status,
        status_message=run.status_message,
        reason=run.trigger["cause"] or "",
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def name_of(transaction: Connection, table: Table, identifier: int) -> str:
    """Also of what is deleted: its runs outlive it."""
    found = transaction.execute(select(table.c.name).where(table.c.id == identifier)).scalar()
    return found or ""
