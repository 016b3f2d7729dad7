"""Wait for facts: who answers is us, and every part says that it works."""

import json
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.request import urlopen

from local_airflow.endpoints import AirflowApi, AirflowApiError
from local_airflow.settings import Settings
from local_airflow.stack_processes import supervisor_pid
from local_airflow.state_file import read_state
from local_airflow.user_error import UserError


SECONDS = 180
SAMPLE_DAG = "dbt_cloud_job"
CONNECTION = "dbt_cloud_default"
COMPONENTS = ("scheduler", "dag_processor", "triggerer")


def wait_until_ready(settings: Settings) -> None:
    """Print a line for each fact as it becomes true; raise `UserError` for one that does not."""
    started, since = time.monotonic(), datetime.now(UTC)
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=20)
    facts: list[tuple[str, str, Callable[[], bool]]] = [
        ("PostgreSQL, with January in the warehouse", "postgres", lambda: _prepared(settings)),
        ("Airflow's four components", "airflow", lambda: components_healthy(api, since)),
        (
            "Airflow's API for tasks",
            "api-server",
            lambda: bool(api.get_public("/execution/health")),
        ),
        (f"DAG {SAMPLE_DAG}", "dag-processor", lambda: bool(api.get(f"/api/v2/dags/{SAMPLE_DAG}"))),
        (
            f"connection {CONNECTION}",
            "scheduler",
            lambda: bool(api.get(f"/api/v2/connections/{CONNECTION}")),
        ),
    ]
    if settings.is_local:
        local = (
            "the local dbt Cloud",
            "local-dbt-cloud",
            lambda: local_dbt_cloud_healthy(settings),
        )
        facts.insert(1, local)
    for what, guilty, fact in facts:
        _wait_for(settings, what, guilty, fact, started + SECONDS)
        print(f"  {time.monotonic() - started:5.1f} s  {what}", flush=True)


def _wait_for(
    settings: Settings, what: str, guilty: str, fact: Callable[[], bool], deadline: float
) -> None:
    why = "It has not answered yet."
    while True:
        try:
            if fact():
                return
        except AirflowApiError as error:
            why = error.cause
        except UserError as error:
            why = error.cause
        except OSError as error:
            why = str(error)
        _raise_if_given_up(settings)
        if time.monotonic() > deadline:
            raise UserError(
                f"{what} is not ready after {SECONDS} seconds",
                f"{why}\n{last_lines(settings, guilty)}",
                (f"make logs S={guilty}",),
            )
        time.sleep(0.15)


def _raise_if_given_up(settings: Settings) -> None:
    state = read_state(settings.folders.processes / "state.json")
    parts = {
        **state.get("processes", {}),
        **read_state(settings.folders.processes / "airflow.json"),
    }
    if state.get("problem"):
        raise UserError("the start failed", state["problem"], ("make logs S=supervisor",))
    for name, part in parts.items():
        # Two deaths in a row during a start are no accident.
        if part["given_up"] or part["restarts"] > 1:
            raise UserError(
                f"{name} died {part['restarts']} times at its start",
                f"The end of its log:\n{last_lines(settings, name)}",
                (f"make logs S={name}",),
            )
    if state and supervisor_pid(settings) is None:
        raise UserError(
            "the supervisor is gone",
            f"The end of its log:\n{last_lines(settings, 'supervisor')}",
            ("make up",),
        )


def last_lines(settings: Settings, name: str, count: int = 12) -> str:
    file = settings.folders.logs / f"{name}.log"
    if not file.exists():
        return "  (it wrote no log)"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join(f"  {line}" for line in lines)


def _prepared(settings: Settings) -> bool:
    return (settings.folders.processes / "prepared").exists()


def components_healthy(api: AirflowApi, since: datetime | None = None) -> bool:
    """
    Read the body of the health page, whose status is 200 also when the scheduler is dead.

    With `since`, heartbeats from before it do not count: they are those of the last start.
    """
    health = api.get_public("/api/v2/monitor/health")
    for name in COMPONENTS:
        part = health.get(name) or {}
        beat = part.get(f"latest_{name}_heartbeat")
        if part.get("status") != "healthy" or not beat:
            return False
        if since and datetime.fromisoformat(beat) < since:
            return False
    return bool(health["metadatabase"]["status"] == "healthy")


def local_dbt_cloud_healthy(settings: Settings) -> bool:
    """Ask who is there: another clone's server on the same port is not ours."""
    trusted = ssl.create_default_context(cafile=str(settings.tls_bundle))
    url = f"{settings.local_dbt_cloud_url}/_local/health"
    with urlopen(url, timeout=5, context=trusted) as answer:  # noqa: S310 # https to this machine
        health = json.load(answer)
    return bool(
        health["status"] == "healthy" and health["state"] == str(settings.folders.dbt_cloud)
    )
