"""Wait for facts: who answers is us, and every part says that it works."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.request import urlopen

from dbt_cloud_api.user_error import UserError
from local_airflow.base.progress_line import ProgressLine
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.dag_files import DagFiles
from local_airflow.stack.mode import Mode
from local_airflow.stack.trust import tls_context


SECONDS_TO_BE_READY = 300
SECONDS_BETWEEN_LOOKS = 1.5
SECONDS_TO_LOG_IN = 5.0
CONNECTION = "dbt_cloud_default"
COMPONENTS = ("scheduler", "dag_processor", "triggerer")

Fact = tuple[str, str, Callable[[], bool]]


def wait_until_ready(mode: Mode) -> None:
    """Print a line for each fact as it becomes true; raise `UserError` for one that does not."""
    deadline = time.monotonic() + SECONDS_TO_BE_READY
    since = datetime.now(UTC)
    with ProgressLine("everything") as line:
        for what, guilty, fact in facts(mode, since):
            line.what = what
            deadline = _wait_for(mode, line, guilty, fact, deadline)
            line.detail = ""
            line.tick(what)


def facts(mode: Mode, since: datetime) -> list[Fact]:
    """List what must be true, in the order in which it comes true, with the part it depends on."""

    def api() -> AirflowApi:
        settings = mode.settings
        return AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=20)

    local: list[Fact] = [
        ("the local dbt Cloud", "local-dbt-cloud", lambda: local_dbt_cloud_healthy(mode))
    ]
    return [
        (_database(mode), "postgres", lambda: mode.is_prepared() and takes_logins(mode)),
        *(local if mode.settings.is_local else []),
        ("Airflow's four components", "api-server", lambda: components_healthy(api(), since)),
        (
            "Airflow's API for tasks",
            "api-server",
            lambda: bool(api().get_public("/execution/health")),
        ),
        ("the DAGs", "dag-processor", DagFiles(mode.settings, api).are_read),
        (
            f"connection {CONNECTION}",
            "scheduler",
            lambda: bool(api().get(f"/api/v2/connections/{CONNECTION}")),
        ),
        *mode.own_facts(),
    ]


def _database(mode: Mode) -> str:
    flights = ", with January in the warehouse" if mode.settings.has_examples else ""
    return f"PostgreSQL{flights}"


def _wait_for(
    mode: Mode, line: ProgressLine, guilty: str, fact: Callable[[], bool], deadline: float
) -> float:
    """Wait until it is so, and give the deadline, which a recovery puts off."""
    why = "It has not answered yet."
    next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
    told = ""
    while True:
        try:
            if fact():
                return deadline
        except UserError as error:
            why = error.cause
        except OSError as error:
            why = str(error)
        mode.raise_if_failed()
        recovery = mode.recovery()
        if recovery:
            # It ends by itself, or the supervisor ends the start; stopped, it would begin anew.
            deadline = time.monotonic() + SECONDS_TO_BE_READY
            at_work, _, _how_far = recovery.partition(":")
            if at_work != told:
                line.say(f"{at_work}; stopped, it would begin anew")
            told = at_work
        if time.monotonic() > deadline:
            unhealthy = [part.name for part in mode.parts() if not part.is_healthy]
            guilty = guilty if guilty in unhealthy or not unhealthy else unhealthy[0]
            raise UserError(
                f"{line.what} is not ready after {SECONDS_TO_BE_READY} seconds",
                f"{why}\n{mode.last_lines(guilty)}",
                (f"make logs S={guilty}",),
            )
        if line.is_drawn and time.monotonic() > next_look:
            # In containers, that is two calls of docker: not more often than a person reads.
            line.detail = recovery or _what_is_at_work(mode)
            next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
        time.sleep(0.15)


def _what_is_at_work(mode: Mode) -> str:
    """Name the parts that were started and are not well yet; others wait for them."""
    started = [part for part in mode.parts() if part.state != "created"]
    return ", ".join(part.name for part in started if not part.is_healthy)


def takes_logins(mode: Mode) -> bool:
    """Log in; raise `OSError` while PostgreSQL lets nobody in."""
    mode.log_in(SECONDS_TO_LOG_IN)
    return True


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


def local_dbt_cloud_healthy(mode: Mode) -> bool:
    """Ask who is there: another clone's server on the same port is not ours."""
    settings = mode.settings
    url = f"{settings.local_dbt_cloud_url}/_local/health"
    with urlopen(url, timeout=5, context=tls_context(settings)) as answer:  # noqa: S310 # https to this machine
        health = json.load(answer)
    return bool(health["status"] == "healthy" and health["state"] == mode.local_dbt_cloud_state())
