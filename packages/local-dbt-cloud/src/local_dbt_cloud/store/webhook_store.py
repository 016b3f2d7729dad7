"""Subscriptions, the events that they still have to get, and what became of each attempt."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, delete, func, insert, select, update

from local_dbt_cloud.store.webhook_tables import events, receipts, subscriptions
from local_dbt_cloud.wire.ksuid import new_id
from local_dbt_cloud.wire.timestamps import now


Record = RowMapping
# As documented.
RETRIES = 5
DAYS_OF_FAILURES = 7
DAYS_KEPT = 30


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to a client's endpoint; status 0 when no answer came."""

    dispatched_at: datetime
    http_status_code: int
    error_info: str
    request_headers: str
    response_body: str

    @property
    def succeeded(self) -> bool:
        return 200 <= self.http_status_code < 300  # noqa: PLR2004 - the codes of success


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The pause before the first retry, which doubles; and how many failures end it all."""

    seconds: float
    failures_allowed: int

    def pause(self, attempts: int) -> timedelta | None:
        if attempts > RETRIES:
            return None
        return timedelta(seconds=self.seconds * 2 ** (attempts - 1))


class WebhookStore:
    """Every method is one transaction and safe to call from any thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.changing = threading.Lock()

    def find(self, table: Table, identifier: str) -> Record | None:
        with self.engine.connect() as reader:
            row = reader.execute(select(table).where(table.c.id == identifier)).first()
        return None if row is None else row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it

    def page(self, table: Table, limit: int, offset: int, **where: str) -> tuple[list[Record], int]:
        """The newest first."""
        conditions = [table.c[name] == value for name, value in where.items()]
        since = table.c.dispatched_at if table is receipts else table.c.created_at
        rows = select(table).where(*conditions).order_by(since.desc(), table.c.id.desc())
        count = select(func.count()).select_from(table).where(*conditions)
        with self.engine.connect() as reader:
            found = reader.execute(rows.limit(limit).offset(offset)).mappings().all()
            return list(found), reader.execute(count).scalar_one()

    # Subscriptions

    def add_subscription(self, **values: Any) -> Record:
        moment = now()
        values |= {"id": new_id("wsu"), "created_at": moment, "updated_at": moment}
        new = insert(subscriptions).values(values).returning(subscriptions)
        with self.engine.begin() as transaction:
            return transaction.execute(new).mappings().one()

    def change_subscription(self, identifier: str, **values: Any) -> Record | None:
        """A change is a new start: earlier failures do not count any more."""
        values |= {"updated_at": now(), "failures": 0, "failing_since": None}
        values["deactivate_reason"] = None
        change = update(subscriptions).where(subscriptions.c.id == identifier)
        changed = change.values(values).returning(subscriptions)
        with self.changing, self.engine.begin() as transaction:
            if not values["active"]:
                strike_out(transaction, identifier)
            return transaction.execute(changed).mappings().first()

    def delete_subscription(self, identifier: str) -> bool:
        """Its events stay to be looked at; none is sent any more."""
        gone = delete(subscriptions).where(subscriptions.c.id == identifier)
        with self.changing, self.engine.begin() as transaction:
            strike_out(transaction, identifier)
            return transaction.execute(gone).rowcount == 1

    # Events

    def add_event(self, **values: Any) -> Record:
        """An event that is sent by whoever makes it."""
        new = insert(events).values(created_at=now(), **values).returning(events)
        with self.engine.begin() as transaction:
            return transaction.execute(new).mappings().one()

    def due(self, moment: datetime) -> list[Record]:
        """Of each subscription, the oldest event that is due."""
        # SQLite takes the other columns from the row that has the minimum.
        query = select(events, func.min(events.c.created_at).label("oldest"))
        due = query.where(events.c.next_attempt_at <= moment).group_by(events.c.subscription_id)
        with self.engine.connect() as reader:
            return list(reader.execute(due.order_by("oldest")).mappings().all())

    def is_due(self, event: Record) -> bool:
        """Whether it still is: it may have been sent or struck out since it was read."""
        current = self.find(events, event["id"])
        at = current["next_attempt_at"] if current else None
        return at is not None and at <= now()

    def next_due(self, after: datetime) -> datetime | None:
        later = events.c.next_attempt_at > after
        query = select(events.c.next_attempt_at).where(later).order_by(events.c.next_attempt_at)
        with self.engine.connect() as reader:
            found: datetime | None = reader.execute(query.limit(1)).scalar()
        return found

    def record(self, event: Record, attempt: Attempt, policy: RetryPolicy | None) -> None:
        """
        Keep the receipt, plan the next attempt, and give up an endpoint that never answers.

        Without a policy it was one attempt of its own: nothing follows from it.
        """
        identifier, attempts = event["subscription_id"], event["attempts"] + 1
        pause = None if attempt.succeeded or policy is None else policy.pause(attempts)
        with self.changing, self.engine.begin() as transaction:
            transaction.execute(insert(receipts).values(receipt_of(event, attempt)))
            row = select(subscriptions).where(subscriptions.c.id == identifier)
            subscription = transaction.execute(row).mappings().first()
            again = now() + pause if pause and subscription and subscription["active"] else None
            write(
                transaction,
                events,
                event["id"],
                attempts=attempts,
                http_status_code=attempt.http_status_code,
                next_attempt_at=again,
            )
            if subscription is not None:
                self._note(transaction, subscription, attempt, policy)

    def _note(
        self,
        transaction: Connection,
        subscription: Record,
        attempt: Attempt,
        policy: RetryPolicy | None,
    ) -> None:
        values: dict[str, Any] = {
            "dispatched_at": attempt.dispatched_at,
            "http_status_code": attempt.http_status_code,
        }
        if policy is not None:
            values |= count_failures(subscription, attempt, policy)
        write(transaction, subscriptions, subscription["id"], **values)
        if values.get("active") is False:
            strike_out(transaction, subscription["id"])

    def forget_old(self) -> None:
        """Deliveries are kept for thirty days, as documented."""
        oldest = now() - timedelta(days=DAYS_KEPT)
        old = select(events.c.id).where(events.c.created_at < oldest)
        with self.engine.begin() as transaction:
            transaction.execute(delete(receipts).where(receipts.c.event_id.in_(old)))
            transaction.execute(delete(events).where(events.c.created_at < oldest))


def receipt_of(event: Record, attempt: Attempt) -> dict[str, Any]:
    return {
        "id": new_id("wre"),
        "event_id": event["id"],
        "subscription_id": event["subscription_id"],
        "dispatched_at": attempt.dispatched_at,
        "http_status_code": attempt.http_status_code,
        "error_info": attempt.error_info,
        "request_body": event["payload"],
        "request_headers": attempt.request_headers,
        "response_body": attempt.response_body,
    }


def count_failures(subscription: Record, attempt: Attempt, policy: RetryPolicy) -> dict[str, Any]:
    """A success forgets all failures; too many of them deactivate the subscription."""
    if attempt.succeeded:
        return {"failures": 0, "failing_since": None}
    failures = subscription["failures"] + 1
    since = subscription["failing_since"] or attempt.dispatched_at
    reason = None
    if failures >= policy.failures_allowed:
        reason = f"{failures} consecutive failed deliveries"
    elif attempt.dispatched_at - since >= timedelta(days=DAYS_OF_FAILURES):
        reason = f"{DAYS_OF_FAILURES} consecutive days of failed deliveries"
    counted = {"failures": failures, "failing_since": since}
    if reason and subscription["active"]:
        return {**counted, "active": False, "deactivate_reason": reason}
    return counted


def write(transaction: Connection, table: Table, identifier: str, **values: Any) -> None:
    transaction.execute(update(table).where(table.c.id == identifier).values(values))


def strike_out(transaction: Connection, subscription_id: str) -> None:
    """Whatever that subscription still had to get is sent no more."""
    unsent = update(events).where(events.c.subscription_id == subscription_id)
    transaction.execute(unsent.values(next_attempt_at=None))
