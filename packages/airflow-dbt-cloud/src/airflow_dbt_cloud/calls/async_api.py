"""
dbt Cloud's API for the triggerer: one TLS connection for all who wait, and every error by name.

The connection is read when it is first needed, and once more when dbt Cloud refuses its token: a
token that was exchanged in Airflow meanwhile must not fail what is waiting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from airflow.providers.common.compat.connection import get_async_connection

from airflow_dbt_cloud.calls.api_errors import (
    AnswerLostError,
    CredentialsRefusedError,
    DbtCloudApiError,
    NotConnectedError,
    UnavailableError,
    error_of,
)
from airflow_dbt_cloud.calls.clock import seconds_ahead
from airflow_dbt_cloud.calls.request_headers import request_headers
from dbt_cloud_api.client import REDIRECTED
from dbt_cloud_api.plain_text import printable_json
from dbt_cloud_api.run_status import RunStatus


SECONDS_PER_REQUEST = 30
PAGE = 100
DEFAULT_HOST = "cloud.getdbt.com"

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """What the Airflow connection says. The token shows in no `repr`."""

    host: str
    account_id: int
    headers: dict[str, str]
    proxy: str | None

    def __repr__(self) -> str:
        return f"Access({self.host!r}, {self.account_id})"


class AsyncDbtCloudApi:
    """The calls that waiting for runs, and ending them, needs."""

    def __init__(
        self, conn_id: str, account_id: int | None, seconds_per_request: float = SECONDS_PER_REQUEST
    ) -> None:
        self.conn_id, self.account_id = conn_id, account_id
        self._timeout = aiohttp.ClientTimeout(total=seconds_per_request)
        self._access: Access | None = None
        self._session: aiohttp.ClientSession | None = None
        self.seconds_ahead = 0.0

    async def runs(self, run_ids: list[int]) -> Mapping[int, Run]:
        """Read up to a hundred runs with one request; one that is not listed is left out."""
        query = {"pk__in": str(run_ids), "limit": str(len(run_ids))}
        listed = await self._call("GET", "runs/", query)
        return {run["id"]: run for run in listed}

    async def run(self, run_id: int, *related: str) -> Run:
        query = {"include_related": ",".join(related)} if related else None
        data: Run = await self._call("GET", f"runs/{run_id}/", query)
        return data

    async def newest_successes(self, job_id: int, limit: int) -> list[Run]:
        query = {
            "job_definition_id": str(job_id),
            "status": str(int(RunStatus.SUCCESS)),
            "order_by": "-id",
            "limit": str(limit),
        }
        data: list[Run] = await self._call("GET", "runs/", query)
        return data

    async def younger_runs(self, run_id: int) -> list[Run]:
        """List the runs of all jobs that came after a run, the newest first, with their causes."""
        found: list[Run] = []
        while True:
            query = {
                "order_by": "-id",
                "include_related": "trigger",
                "limit": str(PAGE),
                "offset": str(len(found)),
            }
            page: list[Run] = await self._call("GET", "runs/", query)
            found += [run for run in page if run["id"] > run_id]
            if len(page) < PAGE or page[-1]["id"] <= run_id:
                return found

    async def ended_runs(self, job_id: int, statuses: Sequence[int], since: datetime) -> list[Run]:
        """List a job's runs that ended since a moment, the latest first, with their causes."""
        # By id: a run that ends while the pages are read moves the others to the next page.
        found: dict[int, Run] = {}
        offset = 0
        while True:
            query = {
                "job_definition_id": str(job_id),
                "status__in": str([int(status) for status in statuses]),
                "order_by": "-finished_at",
                "include_related": "trigger",
                "limit": str(PAGE),
                "offset": str(offset),
            }
            page: list[Run] = await self._call("GET", "runs/", query)
            offset += len(page)
            # One that was cancelled before it began may have no end that it could be listed by.
            ended = [run for run in page if run.get("finished_at")]
            recent = [run for run in ended if datetime.fromisoformat(run["finished_at"]) >= since]
            found |= {run["id"]: run for run in recent}
            if len(page) < PAGE or len(recent) < len(ended):
                return list(found.values())

    async def cancel(self, run_id: int) -> Run:
        data: Run = await self._call("POST", f"runs/{run_id}/cancel/", None)
        return data

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _call(self, method: str, path: str, query: Mapping[str, str] | None) -> Any:
        known = self._access
        access = known or await self._read_access()
        try:
            return await self._send(access, method, path, query)
        except CredentialsRefusedError:
            changed = await self._read_access()
            if known is None or changed.headers == known.headers:
                raise
            return await self._send(changed, method, path, query)

    async def _read_access(self) -> Access:
        connection = await get_async_connection(self.conn_id)
        proxies = connection.extra_dejson.get("proxies") or {}
        self._access = Access(
            host=connection.host or DEFAULT_HOST,
            account_id=self.account_id or int(connection.login or 0),
            headers=request_headers(connection.password or ""),
            proxy=proxies.get("https"),
        )
        return self._access

    async def _send(
        self, access: Access, method: str, path: str, query: Mapping[str, str] | None
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=True)
        url = f"https://{access.host}/api/v2/accounts/{access.account_id}/{path}"
        what = f"{method} {path}"
        try:
            async with self._session.request(
                method,
                url,
                params=query,
                headers=access.headers,
                proxy=access.proxy,
                allow_redirects=False,
            ) as answer:
                self.seconds_ahead = seconds_ahead(answer.headers, self.seconds_ahead)
                return await _read(answer, what)
        except DbtCloudApiError:
            raise
        except aiohttp.ClientConnectionError as error:
            never = isinstance(error, aiohttp.ClientConnectorError)
            kind = NotConnectedError if never else AnswerLostError
            raise kind(f"{what}: {type(error).__name__}: {error}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AnswerLostError(f"{what}: {type(error).__name__}: {error}") from error


async def _read(answer: aiohttp.ClientResponse, what: str) -> Any:
    try:
        body = await answer.json(content_type=None)
    except ValueError:
        body = None
    if answer.status >= REDIRECTED:
        raise error_of(answer.status, what, body, answer.headers)
    if not isinstance(body, dict) or "data" not in body:
        raise UnavailableError(f"{what}: the answer is not the API's")
    return printable_json(body["data"])
