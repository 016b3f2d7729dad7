"""
Sends webhooks in the background: no run waits for an endpoint.

What is to be sent stands in the store and is struck out when it is done, so that a restart loses
nothing. A server that dies between a request and its note sends the same event, with the same id,
once more.
"""

import logging
import queue
import ssl
import threading
import time
from functools import cached_property

from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.webhook_store import Attempt, Record, RetryPolicy, WebhookStore
from local_dbt_cloud.store.webhook_tables import subscriptions
from local_dbt_cloud.webhooks.webhook_request import send
from local_dbt_cloud.wire.timestamps import now


LOG = logging.getLogger("local_dbt_cloud")
SENDERS = 4
# How long a stop waits for requests that are under way.
SECONDS_TO_FINISH = 1.0
SECONDS_AFTER_A_SURPRISE = 1.0


class WebhookDelivery:
    """
    One event of a subscription at a time, the oldest first.

    That keeps them in their order, and a slow endpoint from taking all senders to itself.
    """

    def __init__(self, store: WebhookStore, settings: ServerSettings) -> None:
        self.store, self.settings = store, settings
        self.policy = RetryPolicy(settings.webhook_retry_seconds, settings.webhook_failures)
        self.wanted, self.closing = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.under_way: set[str] = set()  # the subscriptions that are being sent to
        self.to_send: queue.SimpleQueue[Record] = queue.SimpleQueue()

    @cached_property
    def trusted(self) -> ssl.SSLContext:
        """Public authorities and our own: an endpoint may be on this machine."""
        return ssl.create_default_context(cafile=str(self.settings.tls / "bundle.pem"))

    def open(self) -> None:
        self.store.forget_old()
        for work in [self._plan, *[self._send] * SENDERS]:
            threading.Thread(target=work, name="webhooks", daemon=True).start()

    def wake(self) -> None:
        self.wanted.set()

    def close(self) -> None:
        """Requests under way get a moment; what is not sent by then, the next server sends."""
        self.closing.set()
        self.wake()
        deadline = time.monotonic() + SECONDS_TO_FINISH
        while self.under_way and time.monotonic() < deadline:
            time.sleep(0.01)

    def send_now(self, event: Record, subscription: Record) -> Attempt:
        """One attempt, kept like every other, that neither is repeated nor counts as a failure."""
        attempt = self._post(event, subscription)
        self.store.record(event, attempt, None)
        return attempt

    def _plan(self) -> None:
        while not self.closing.is_set():
            self.wanted.clear()
            try:
                pause = self._hand_over_what_is_due()
            except Exception:
                LOG.exception("webhooks cannot be looked for")
                pause = SECONDS_AFTER_A_SURPRISE
            self.wanted.wait(pause)

    def _hand_over_what_is_due(self) -> float | None:
        """Answer how long there is nothing more to do; None until somebody wakes us."""
        moment = now()
        for event in self.store.due(moment):
            with self.lock:
                if event["subscription_id"] in self.under_way:
                    continue
                self.under_way.add(event["subscription_id"])
            self.to_send.put(event)
        following = self.store.next_due(moment)
        return max((following - now()).total_seconds(), 0) if following else None

    def _send(self) -> None:
        while True:
            event = self.to_send.get()
            try:
                if not self.closing.is_set():
                    self._attempt(event)
            except Exception:
                LOG.exception("webhook %s failed in the server", event["id"])
                time.sleep(SECONDS_AFTER_A_SURPRISE)
            finally:
                with self.lock:
                    self.under_way.discard(event["subscription_id"])
                self.wake()

    def _attempt(self, event: Record) -> None:
        subscription = self.store.find(subscriptions, event["subscription_id"])
        if subscription is None or not self.store.is_due(event):
            return
        attempt = self._post(event, subscription)
        self.store.record(event, attempt, self.policy)
        said = attempt.error_info or f"answered {attempt.http_status_code}"
        LOG.info("webhook %s of %s: %s", event["id"], subscription["id"], said)

    def _post(self, event: Record, subscription: Record) -> Attempt:
        secret = subscription["hmac_secret"]
        return send(subscription["client_url"], secret, event["payload"], self.trusted)
