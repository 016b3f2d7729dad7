"""
Ask each part whether it does its work, all at the same time.

That its process lives says little: it may be frozen, or turn everybody away.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbt_cloud_api.client import DbtCloudSilentError
from dbt_cloud_api.user_error import UserError
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError, AirflowSilentError
from local_airflow.stack.mode import Mode, Part, not_running
from local_airflow.stack.readiness import COMPONENTS, local_dbt_cloud_healthy
from local_airflow.stack.settings import StackSettings
from local_airflow.stack.side_by_side import Deadline, begin


if TYPE_CHECKING:
    from concurrent.futures import Future

# Of the 3 s that a command may take: the rest is Python's start, and in containers Docker's.
SECONDS_TO_ANSWER = 2.0
# Later than that, so that it is always the same words that say that nobody answers.
SOCKETS_GIVE_UP = 2 * SECONDS_TO_ANSWER
DATABASE, LOCAL_DBT_CLOUD, API_SERVER = "postgres", "local-dbt-cloud", "api-server"
BROKEN_DOWN = 500


def look_at_parts(mode: Mode) -> list[Part]:
    """Give the parts of a running stack, each as its process and its own answer say."""
    settings = mode.settings
    asked = {name: begin(question) for name, question in _questions(mode, settings)}
    health = begin(lambda: read_health(settings))
    deadline = Deadline(SECONDS_TO_ANSWER)
    parts = mode.parts()
    # Nobody waits for the answer of one that is known to be unable to give it.
    unwell = {_service(part) for part in parts if not part.is_healthy}
    silent = {
        name: why for name in asked.keys() - unwell if (why := _why_silent(deadline, asked[name]))
    }
    if not {DATABASE, API_SERVER} & (unwell | silent.keys()):
        silent |= _late(deadline, health)
    judged = [_judged(part, silent.get(_service(part), "")) for part in parts]
    named = {_service(part) for part in parts}
    return judged + [_missing(name, why) for name, why in silent.items() if name not in named]


def _questions(mode: Mode, settings: StackSettings) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield DATABASE, lambda: mode.log_in(SOCKETS_GIVE_UP)
    if settings.is_local:
        yield LOCAL_DBT_CLOUD, lambda: _ask_local_dbt_cloud(mode)
    # It does not need the database for that, so each of the two is blamed for itself.
    yield API_SERVER, lambda: _airflow(settings).get_public("/api/v2/version")


def _ask_local_dbt_cloud(mode: Mode) -> None:
    if not local_dbt_cloud_healthy(mode):
        raise ConnectionError("who answers belongs to another clone, or is not healthy")


def read_health(settings: StackSettings) -> dict[str, Any]:
    """Read Airflow's health page, whose status is 200 also when the scheduler is dead."""
    health = _airflow(settings).get_public("/api/v2/monitor/health")
    if not isinstance(health, dict):
        raise TypeError("what answers is not Airflow")
    return health


def _airflow(settings: StackSettings) -> AirflowApi:
    return AirflowApi(
        settings.airflow_url, "admin", settings.admin_password, seconds=SOCKETS_GIVE_UP
    )


def _why_silent(deadline: Deadline, asked: "Future[Any]") -> str:
    try:
        deadline.answer(asked)
    except UserError as error:
        return error.cause.strip()
    except TimeoutError as late:
        return f"{late}."
    except Exception as error:  # noqa: BLE001 # who answers may be anybody, and say anything
        return f"Asking it gave: {error}."
    return ""


def _late(deadline: Deadline, asked: "Future[dict[str, Any]]") -> dict[str, str]:
    """Name who has not said for too long that it lives, by the page that knows; and why."""
    why = _why_silent(deadline, asked)
    if why:
        return {API_SERVER: f"Its health page does not answer: {why}"}
    health = asked.result()
    if (health.get("metadatabase") or {}).get("status") != "healthy":
        return {API_SERVER: "It does not reach its database, says its health page."}
    return {
        name.replace("_", "-"): _last_heard_of(heartbeat_age(health, name))
        for name in COMPONENTS
        if (health.get(name) or {}).get("status") != "healthy"
    }


def _last_heard_of(age: float | None) -> str:
    last = "Never heard of" if age is None else f"Last heard of {age:.0f} s ago"
    return f"{last}: it is dead, frozen, or too busy to say that it lives."


def heartbeat_age(health: dict[str, Any], component: str) -> float | None:
    """Give the seconds since a component said that it lives; None when it never did."""
    beat = (health.get(component) or {}).get(f"latest_{component}_heartbeat")
    return (datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds() if beat else None


def _judged(part: Part, why: str) -> Part:
    if part.is_healthy and why:
        remedy = f"make restart S={part.name}"
        return replace(part, state="does not answer", is_healthy=False, why=why, remedy=remedy)
    if not part.is_healthy and not part.remedy:
        return replace(part, remedy=f"make logs S={part.name}")
    return part


def _missing(name: str, why: str) -> Part:
    return Part(name, "missing", "", 0, is_healthy=False, why=why, remedy="make up")


def _service(part: Part) -> str:
    """Of several containers of a service, each is named with its number."""
    name, _, number = part.name.rpartition("-")
    return name if number.isdigit() else part.name


def blame(mode: Mode, error: UserError) -> UserError:
    """
    Find the part behind an error that only says that somebody does not answer, or broke down.

    Any other error, and one for which no part is to blame, is given back as it is.
    """
    silent = isinstance(error, (AirflowSilentError, DbtCloudSilentError))
    if not silent and not (isinstance(error, AirflowApiError) and error.status >= BROKEN_DOWN):
        return error
    if not mode.is_running():
        return not_running(mode)
    # The database first: without it, others fail too.
    parts = sorted(look_at_parts(mode), key=lambda part: part.name != DATABASE)
    guilty = next((part for part in parts if not part.is_healthy), None)
    if guilty is None:
        return error
    why = f"{guilty.why}\n" if guilty.why else ""
    return UserError(
        f"{guilty.name}: {guilty.state}",
        f"{why}That is why {error.problem}.",
        (guilty.remedy, "make status"),
    )
