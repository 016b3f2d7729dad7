"""
Tell people when a dbt Cloud task has failed: Slack, e-mail, a webhook, whatever Apprise knows.

    DbtCloudJobOperator(…, on_failure_callback=notify_on_failure())

Where it goes is the Airflow connection `dbt_cloud_notifications` of the provider for Apprise. With
no such connection nothing is sent. Airflow calls it once for a failure, after the last retry.
What is no failure and must be known all the same goes there too, `tell_people`.
"""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from airflow_dbt_cloud.failing.run_failures import DbtCloudTaskError
from dbt_cloud_api.notification_urls import addresses, secret_parts
from dbt_cloud_api.plain_text import for_chat, one_line


if TYPE_CHECKING:
    from airflow.sdk import Context

NOTIFICATIONS = "dbt_cloud_notifications"
WRITTEN_FROM_DOTENV = "Written from .env at every start: where failures are told."

# Discord refuses what is longer than 2000 characters, Telegram 4096, and Apprise cuts nothing
# unless each address asks for it: whoever refuses a message tells nobody.
LONGEST_BODY = 1900
CUT = "\n  … the log has the rest"


def apprise_config(setting: str) -> list[dict[str, str]]:
    """Turn DBT_CLOUD_NOTIFICATION_URLS into what the connection holds in its `config`."""
    return [{"path": address} for address in addresses(setting)]


def mask_addresses(config: Any) -> None:
    """
    Keep out of the task's log what Apprise says of an address that it cannot reach.

    `config` is that of the connection: one `{"path": address}`, or a list of them.
    """
    for each in [config] if isinstance(config, dict) else config or []:
        for part in secret_parts(str(each["path"])) if isinstance(each, dict) else []:
            mask_secret(part)


class DbtCloudFailureNotifier(BaseNotifier):
    """Sends the end of the task's log, as `triage.py` wrote it, with tokens masked."""

    def __init__(self, conn_id: str = NOTIFICATIONS, **options: Any) -> None:
        super().__init__(**options)
        self.conn_id = conn_id

    def notify(self, context: "Context") -> None:
        send(self.conn_id, *message_of(context), kind="failure", log=self.log)


def tell_people(context: "Context", what: str, words: str, log: Any) -> None:
    """Send a warning about a task, which never fails for it, where its failures are sent."""
    ti = context["ti"]
    endings = f"  dag_run: {ti.run_id}\n  log: {getattr(ti, 'log_url', '')}"
    title = one_line(_for_chat(f"{ti.dag_id}.{ti.task_id} {what}"))
    body = _for_chat(f"{words}\n{endings}")
    try:
        send(NOTIFICATIONS, title, body, kind="warning", log=log)
    except Exception:  # whatever Apprise meets, the task has succeeded
        log.exception("Nobody was told of this.")


def send(conn_id: str, title: str, body: str, *, kind: str, log: Any) -> None:
    """Send a message of one of Apprise's kinds to whom a connection names, if it is there."""
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return
    # It takes longer to import than a DAG file to read, and is seldom needed.
    from airflow.providers.apprise.hooks.apprise import AppriseHook  # noqa: PLC0415
    from apprise import Apprise, AppriseAsset, NotifyFormat  # noqa: PLC0415

    # The hook's own `notify` does not say whether anybody took the message.
    services = Apprise(asset=AppriseAsset())
    # A redirect would take along what an address has in its headers.
    services.asset.http_redirects = False
    mask_addresses(connection.extra_dejson.get("config"))
    AppriseHook(conn_id).set_config_from_conn(connection, services)
    # As text, so that a mail in HTML shows what dbt said and does not become it.
    if not services.notify(body, title, notify_type=kind, body_format=NotifyFormat.TEXT):
        log.error(
            "Not everybody was told of this: a service that the connection %s names refused the "
            "message, or could not be reached. The lines above say which.",
            conn_id,
        )


def message_of(context: "Context") -> tuple[str, str]:
    """Compose the message of a failed task: what, why, whose, what next, and where to click."""
    ti, error = context["ti"], context.get("exception")
    where = f"{ti.dag_id}.{ti.task_id}"
    if isinstance(error, DbtCloudTaskError):
        failure = error.failure
        title, details = f"{where} failed: {failure.side}", failure.details()
        endings = failure.endings()
    else:
        title, details, endings = f"{where} failed", [str(error)], []
    endings += [f"  dag_run: {ti.run_id}", f"  log: {getattr(ti, 'log_url', '')}"]
    # Before it is cut: half a token would not be known for one.
    said, end = _for_chat("\n".join(details)), _for_chat("\n".join(endings))
    return one_line(_for_chat(title)), f"{_cut(said, LONGEST_BODY - len(end) - 1)}\n{end}"


def _for_chat(text: str) -> str:
    return for_chat(str(redact(text)))


def _cut(text: str, length: int) -> str:
    return text if len(text) < length else f"{text[: max(length - len(CUT), 0)]}{CUT}"


def notify_on_failure(conn_id: str = NOTIFICATIONS) -> DbtCloudFailureNotifier:
    return DbtCloudFailureNotifier(conn_id)
