"""What runs: every part, every heartbeat, the DAG files, and the connection that Airflow has."""

from collections.abc import Iterator
from typing import Any

from dbt_cloud_api.user_error import UserError
from local_airflow.doctor.findings import Finding, error, from_user_error, ok, skipped, warning
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError
from local_airflow.stack.mode import Mode, Part
from local_airflow.stack.part_probes import API_SERVER, DATABASE, LOCAL_DBT_CLOUD, heartbeat_age
from local_airflow.stack.readiness import COMPONENTS, CONNECTION
from local_airflow.stack.settings import StackSettings


SECONDS_TO_ASK = 10
NOT_FOUND = 404
# Who does not answer keeps from being known what only it can tell.
TOLD_BY = {DATABASE, API_SERVER}


def examine(mode: Mode, parts: list[Part]) -> list[Finding]:
    """Tell how the parts are, which are empty when nothing runs, and what Airflow says itself."""
    if not parts:
        ended = mode.how_it_ended()
        asleep = "nothing is running; to start it:   make up"
        return [error("stack", "it ended", ended, "make up") if ended else skipped("stack", asleep)]
    found = [*_parts(mode, parts), *_addresses(mode.settings, parts)]
    if not can_be_asked(parts):
        return [*found, skipped("Airflow", "not asked: what is red above must answer first")]
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=SECONDS_TO_ASK)
    try:
        health = api.get_public("/api/v2/monitor/health")
        return [*found, *_heartbeats(health), *_dags(api), *_connection(api)]
    except UserError as silent:
        return [*found, from_user_error("Airflow", silent)]


def can_be_asked(parts: list[Part]) -> bool:
    """Tell whether a question to Airflow gets an answer."""
    return all(part.is_healthy for part in parts if part.name in TOLD_BY)


def _parts(mode: Mode, parts: list[Part]) -> Iterator[Finding]:
    for part in parts:
        if not part.is_healthy:
            log = f"The end of its log:\n{mode.last_lines(part.name, 5)}"
            yield error(
                part.name,
                f"{part.state}, after {part.restarts} restarts",
                f"{part.why}\n{log}".strip(),
                part.remedy,
                f"make logs S={part.name}",
            )
        elif part.restarts:
            yield warning(
                part.name,
                f"runs, after {part.restarts} restarts",
                "It died and was started again.",
                f"make logs S={part.name}",
            )
    if all(part.is_healthy and not part.restarts for part in parts):
        yield ok("parts", f"all {len(parts)} run: {', '.join(part.name for part in parts)}")


def _addresses(settings: StackSettings, parts: list[Part]) -> Iterator[Finding]:
    """Say of those who were asked, and answered as they should, where they are."""
    well = {part.name for part in parts if part.is_healthy}
    if DATABASE in well:
        at = f"127.0.0.1:{settings.postgres_port}"
        yield ok("PostgreSQL", f"takes new connections at {at}")
    if LOCAL_DBT_CLOUD in well and settings.is_local:
        yield ok("local dbt Cloud", f"healthy at {settings.local_dbt_cloud_url}")


def _heartbeats(health: dict[str, Any]) -> Iterator[Finding]:
    ages = {name.replace("_", "-"): heartbeat_age(health, name) for name in COMPONENTS}
    shown = ", ".join(f"{name} {age:.0f} s" for name, age in ages.items() if age is not None)
    if None not in ages.values():
        yield ok("heartbeats", f"ago: {shown}")


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
        if refused.status != NOT_FOUND:
            raise
        yield error(
            "connection",
            f"Airflow has no connection {CONNECTION}",
            f"{refused.cause} It is written from .env when the scheduler starts.",
            "make up",
            "If it is still missing:   make logs S=scheduler",
        )
    else:
        yield ok("connection", f"{CONNECTION}: {found['host']}, account {found['login']}")
