"""
The same steps inside Airflow: its connection, its proxy, its certificates, the provider's hook.

"It works on my machine" is no answer for a task: tasks reach dbt Cloud through requests, the
triggerer through aiohttp, and each obeys variables of its own.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientResponseError
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from dbt_cloud_api.client import https_proxy
from dbt_cloud_api.connection_settings import CONNECTION_ID, DbtCloudConnection, connection_from
from dbt_cloud_api.preflight.account import Target, check_target
from dbt_cloud_api.preflight.check import Check, Level, PreflightError, error, ok, warning
from dbt_cloud_api.preflight.route import find_route
from dbt_cloud_api.secret_settings import with_secret_settings
from dbt_cloud_api.user_error import UserError


VARIABLE = f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"
NAME = "its connection"
TASKS = "tasks"
TRIGGERER = "triggerer"
NOT_FOUND = 404
SECONDS_PER_REQUEST = 30


@dataclass(frozen=True, slots=True)
class AirflowConnection:
    """What a task would use; the token only to compare and to call."""

    host: str
    account_id: int
    job_id: int
    token: str = field(repr=False)
    proxies: Any = None


def check_airflow() -> list[Check]:
    """Check the connection as tasks see it, then every step with it, then the provider itself."""
    try:
        connection = read_connection()
        same = _compare(connection)
        route = find_route(connection.host)
    except PreflightError as failed:
        return [failed.check]
    target = Target(connection.account_id, connection.job_id, connection.token)
    checks = [same, *check_target(target, route)]
    if any(check.level is Level.ERROR for check in checks):
        skipped = "not checked: a step before it failed"
        return [*checks, *(Check(name, Level.SKIPPED, skipped) for name in (TASKS, TRIGGERER))]
    return [*checks, as_task(), as_triggerer(connection)]


def read_connection() -> AirflowConnection:
    """Read it the way the scheduler does; raise `PreflightError` for one that cannot work."""
    # Tasks are handed their connection by the api-server, which reads it in this way.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        found = BaseHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        raise error(
            NAME,
            f"Airflow has no connection {CONNECTION_ID}",
            "It is written from .env at every start of the scheduler.",
            "make up",
            "If it is still missing:   make logs S=scheduler",
        ) from None
    except SQLAlchemyError as broken:
        raise error(
            NAME,
            "Airflow's database does not answer",
            f"Reading the connection gave: {str(broken.__cause__ or broken).splitlines()[0]}",
            "make status",
        ) from None
    return _parse(found)


def _parse(found: Connection) -> AirflowConnection:
    login, host = str(found.login or ""), found.host or "cloud.getdbt.com"
    if "/" in host or not host:
        raise error(
            NAME,
            f"its host is not a bare host: {host}",
            "The provider puts https:// in front of it, which gives an address that nobody has.",
            "Correct it in .env, and:   make up",
        )
    if not login.isdigit():
        raise error(
            NAME,
            f"its login is no account number: {login or 'empty'}",
            "The provider takes the account's number from there (in the UI: Account ID).",
            "Correct it in .env, and:   make up",
        )
    if not found.password:
        raise error(
            NAME,
            "it has no token",
            "Its password is empty; or it was encrypted with another key than Airflow has now.",
            "make up",
        )
    extra = found.extra_dejson
    job_id = str(extra.get("job_id") or "")
    if not job_id.isdigit():
        raise error(
            NAME,
            "its extra names no job",
            f"The sample DAG reads the job's number from it; there it is: {job_id or 'missing'}",
            "make up",
        )
    return AirflowConnection(
        host=host,
        account_id=int(login),
        job_id=int(job_id),
        token=found.password,
        proxies=extra.get("proxies"),
    )


def _compare(connection: AirflowConnection) -> Check:
    where = f"{connection.host}, account {connection.account_id}, job {connection.job_id}"
    if os.environ.get(VARIABLE):
        return warning(
            NAME,
            f"comes from {VARIABLE}: {where}",
            "It wins over the connection that Admin, Connections shows, silently.",
            f"Take {VARIABLE} out of the process environment, and:   make up",
        )
    expected: DbtCloudConnection | None = None
    with suppress(UserError):
        expected = connection_from(with_secret_settings(os.environ))
    if expected is None:
        return ok(NAME, where)
    pairs = {
        "host": (connection.host, expected.host),
        "account": (connection.account_id, expected.account_id),
        "job": (connection.job_id, expected.job_id),
        "token": (connection.token, expected.token),
    }
    different = [name for name, (here, there) in pairs.items() if here != there]
    if different:
        return warning(
            NAME,
            f"is not what .env says: another {', another '.join(different)}",
            "It was edited in Airflow's UI, or .env was edited since the last start.",
            "The one from .env again:   make up",
        )
    return ok(NAME, f"{where}, as .env says")


def as_task() -> Check:
    """Call through requests, with the provider's own hook."""
    return _try(TASKS, "requests", lambda: DbtCloudHook(CONNECTION_ID).get_account())


def as_triggerer(connection: AirflowConnection) -> Check:
    """Call through aiohttp, as a deferred task does while it waits."""
    check = _try(TRIGGERER, "aiohttp", lambda: asyncio.run(_look_at_a_run(connection)))
    if check.level is Level.ERROR and not connection.proxies and https_proxy(connection.host):
        return _around_the_provider(check)
    if connection.proxies and check.level is Level.OK:
        return warning(
            TRIGGERER,
            "through the proxy in the connection's extra",
            "Only the triggerer obeys it: the provider's calls from tasks go directly.",
            "For both, set HTTPS_PROXY in the shell, and:   make up",
        )
    return check


def _around_the_provider(refused: Check) -> Check:
    """Ask as this package waits: it obeys HTTPS_PROXY, which the provider's own hook does not."""
    ours = _try(TRIGGERER, "aiohttp", lambda: asyncio.run(_list_runs()))
    if ours.level is not Level.OK:
        return refused
    return warning(
        TRIGGERER,
        "reaches dbt Cloud through the proxy, but not with the provider's own hook",
        "DbtCloudJobOperator obeys HTTPS_PROXY; the provider's operators with deferrable=True "
        "obey only a proxy in the connection's extra.",
        "In your DAGs, use DbtCloudJobOperator.",
    )


async def _list_runs() -> None:
    api = AsyncDbtCloudApi(CONNECTION_ID, None, SECONDS_PER_REQUEST)
    try:
        await api.runs([1])
    finally:
        await api.close()


async def _look_at_a_run(connection: AirflowConnection) -> None:
    hook = DbtCloudHook(CONNECTION_ID)
    try:
        async with asyncio.timeout(SECONDS_PER_REQUEST):
            await hook.get_job_details(run_id=1, account_id=connection.account_id)
    except ClientResponseError as refused:
        # There is no run 1; to be told so is all that is wanted.
        if refused.status != NOT_FOUND:
            raise


def _try(name: str, library: str, call: Callable[[], object]) -> Check:
    try:
        call()
    except (
        *(AirflowException, DbtCloudApiError, RequestException),
        *(ClientError, OSError, TimeoutError),
    ) as broken:
        # Never repr(): aiohttp's shows the headers, and with them the token.
        return error(
            name,
            f"the provider's call through {library} fails",
            f"It gave: {str(broken) or type(broken).__name__}",
            "requests obeys REQUESTS_CA_BUNDLE, aiohttp SSL_CERT_FILE: both must be set.",
            "make up sets them; has something else started Airflow?",
        ).check
    return ok(name, f"dbt Cloud is reached, with the provider's own hook ({library})")


def main() -> int:
    """Print one JSON document, as `python3 -m dbt_cloud_api.preflight` does."""
    # Airflow logs to standard output, which is for the answer alone.
    with redirect_stdout(sys.stderr):
        checks = check_airflow()
    print(json.dumps([check.as_json() for check in checks]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
