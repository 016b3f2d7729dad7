"""What runs: every part, every heartbeat, the DAG files, and the connection that Airflow has."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dbt_cloud_api.user_error import UserError
from local_airflow.doctor.findings import Finding, error, from_user_error, ok, skipped, warning
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError
from local_airflow.stack.mode import Mode
from local_airflow.stack.readiness import COMPONENTS, CONNECTION, local_dbt_cloud_healthy


# A component tells that it lives every 5 s; Airflow itself calls it dead after 30.
OLD_HEARTBEAT = 30
SECONDS_TO_ASK = 10


def examine(mode: Mode) -> list[Finding]:
    if not mode.is_running():
        return [skipped("stack", "nothing is running; to start it:   make up")]
    found = list(_parts(mode))
    if mode.settings.is_local:
        found.append(_local_dbt_cloud(mode))
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=SECONDS_TO_ASK)
    try:
        health = api.get_public("/api/v2/monitor/health")
        return [*found, *_heartbeats(health), *_dags(api), *_connection(api)]
    except UserError as silent:
        return [*found, from_user_error("Airflow", silent)]


def _parts(mode: Mode) -> Iterator[Finding]:
    parts = mode.parts()
    for part in parts:
        if not part.is_healthy:
            yield error(
                part.name,
                f"{part.state}, after {part.restarts} restarts",
                f"The end of its log:\n{mode.last_lines(part.name, 5)}",
                f"make logs S={part.name}",
            )
        elif part.restarts:
            yield warning(
                part.name,
                f"runs, after {part.restarts} restarts",
                "It died and was started again.",
                f"make logs S={part.name}",
            )
    if parts and all(part.is_healthy and not part.restarts for part in parts):
        yield ok("parts", f"all {len(parts)} run: {', '.join(part.name for part in parts)}")


def _local_dbt_cloud(mode: Mode) -> Finding:
    name, url = "local dbt Cloud", mode.settings.local_dbt_cloud_url
    try:
        if local_dbt_cloud_healthy(mode):
            return ok(name, f"healthy at {url}")
        cause = "Its health page names another state folder: it belongs to another clone."
    except (OSError, ValueError) as silent:
        cause = f"Asking for its health gave: {silent}."
    return error(name, f"not ours at {url}", cause, "make logs S=local-dbt-cloud", "make up")


def _heartbeats(health: dict[str, Any]) -> Iterator[Finding]:
    """Read the body: the health page answers 200 also when the scheduler is dead."""
    if (health.get("metadatabase") or {}).get("status") != "healthy":
        yield error(
            "metadata database", "Airflow does not reach it", "Its health page says so.", "make up"
        )
    ages = []
    for name in COMPONENTS:
        part = health.get(name) or {}
        beat = part.get(f"latest_{name}_heartbeat")
        age = (datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds() if beat else None
        shown = name.replace("_", "-")
        if age is None or age > OLD_HEARTBEAT or part.get("status") != "healthy":
            last = (
                "has never been heard of" if age is None else f"was last heard of {age:.0f} s ago"
            )
            cause = "It is dead, or so busy that it does not get to say that it lives."
            yield error(shown, last, cause, f"make logs S={shown}", "make up")
        else:
            ages.append(f"{shown} {age:.0f} s")
    if len(ages) == len(COMPONENTS):
        yield ok("heartbeats", f"ago: {', '.join(ages)}")


def _dags(api: AirflowApi) -> Iterator[Finding]:
    errors = api.get("/api/v2/importErrors", limit=100)["import_errors"]
    for each in errors:
        last = each["stack_trace"].strip().splitlines()[-1]
        yield error(
            "DAG files",
            f"{_short(each['filename'])} does not import",
            last,
            "Mend the file; Airflow reads it again within a second or two.",
            "make test TESTS=tests",
            ask="whoever owns the file",
        )
    if not errors:
        total = api.get("/api/v2/dags", limit=1)["total_entries"]
        yield ok("DAG files", f"all import; {total} DAG{'' if total == 1 else 's'}")


def _short(filename: str) -> str:
    """Name a file as the reader, who stands in the repository, can open it."""
    # Airflow names a file from its bundle on, which is the folder dags/.
    return filename if filename.startswith("/") else f"dags/{filename}"


def _connection(api: AirflowApi) -> Iterator[Finding]:
    try:
        found = api.get(f"/api/v2/connections/{CONNECTION}")
    except AirflowApiError as refused:
        yield error(
            "connection",
            f"Airflow has no connection {CONNECTION}",
            f"{refused.cause} It is written from .env when the scheduler starts.",
            "make up",
            "If it is still missing:   make logs S=scheduler",
        )
    else:
        yield ok("connection", f"{CONNECTION}: {found['host']}, account {found['login']}")
