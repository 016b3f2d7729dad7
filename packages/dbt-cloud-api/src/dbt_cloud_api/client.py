"""
Ask dbt Cloud itself, without Airflow: the other witness of what a DAG did.

`send` is the one way to send a request, and `Answer` to read what comes back; `DbtCloudApi` has
the calls, which end in one of two errors:

    DbtCloudRefusedError(UserError)   dbt Cloud answered, and refused
    DbtCloudSilentError(UserError)    it did not answer, or not as dbt Cloud does
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException, HTTPResponse, responses
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import (
    HTTPErrorProcessor,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from dbt_cloud_api.connection_settings import DbtCloudConnection
from dbt_cloud_api.plain_text import one_line, printable_json
from dbt_cloud_api.user_error import UserError


SECONDS_PER_REQUEST = 30
REDIRECTED, BAD_REQUEST, NOT_FOUND = 300, 400, 404
PAGE = 100
BIGGEST_ANSWER = 100 * 1024 * 1024
USER_AGENT = "dbt-cloud-api"
# A proxy that a network needs knows nothing of servers on this machine.
THIS_MACHINE = ("localhost", "127.0.0.1")

Query = Mapping[str, object] | None


def own_words(body: Any) -> str:
    """Take dbt Cloud's own words out of its envelope; those of a 400 name the wrong fields."""
    if not isinstance(body, dict):
        return ""
    status = body.get("status")
    status = status if isinstance(status, dict) else {}
    words = [status.get("user_message"), status.get("developer_message"), body.get("detail")]
    fields = body.get("data")
    if status.get("code") == BAD_REQUEST and isinstance(fields, dict):
        words += [f"{name}: {reason}" for name, reason in fields.items()]
    return one_line(" ".join(dict.fromkeys(str(each) for each in words if each)))


def redirection(headers: Mapping[str, str] | Message) -> str:
    """Say where a redirect leads, which nobody follows: the token would go there too."""
    elsewhere = one_line(headers.get("Location") or "")
    return f"it sends its callers to {elsewhere}" if elsewhere else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is. `json` is None for what is no JSON: a gateway's page."""

    status: int
    headers: Message
    text: str
    json: Any

    @classmethod
    def read(cls, response: HTTPResponse, most_bytes: int) -> Self:
        text = response.read(most_bytes).decode(errors="replace")
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        return cls(response.status, response.headers, text, content)

    @property
    def body(self) -> dict[str, Any] | None:
        """The envelope of dbt Cloud; None for anything else."""
        return self.json if isinstance(self.json, dict) else None

    @property
    def data(self) -> Any:
        return (self.body or {}).get("data")

    @property
    def message(self) -> str:
        return own_words(self.body)


class AsItIs(HTTPErrorProcessor):
    """Every answer is one: a refusal too, and a redirect, which would carry the token elsewhere."""

    def http_response(self, request: Request, response: HTTPResponse) -> Any:  # noqa: ARG002 # urllib's
        return response

    https_response = http_response


def send(
    host: str,
    path: str,
    token: str,
    trusted: ssl.SSLContext,
    *,
    method: str = "GET",
    body: Query = None,
) -> Answer:
    """
    Send one request, once, and give what comes back, whatever it is. No redirect is followed.

    Raises `OSError` or `HTTPException` when nothing comes back.
    """
    request = Request(  # https, as written here
        f"https://{host}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={
            "Authorization": f"Token {token}",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        },
    )
    opener = build_opener(HTTPSHandler(context=trusted), _through(host), AsItIs())
    with opener.open(request, timeout=SECONDS_PER_REQUEST) as response:
        return Answer.read(response, BIGGEST_ANSWER)


def https_proxy(address: str) -> str:
    """
    Give the proxy before a host, with or without a port, or nothing.

    As `requests` decides: HTTPS_PROXY, else ALL_PROXY, and NO_PROXY names who is reached directly.
    """
    proxies = {} if proxy_bypass(address) else getproxies()
    return proxies.get("https") or proxies.get("all") or ""


def is_socks(proxy: str) -> bool:
    """Tell a SOCKS proxy: urllib and aiohttp cannot use one, requests and httpx with more only."""
    return proxy.lower().startswith("socks")


def _through(host: str) -> ProxyHandler:
    proxy = "" if host.partition(":")[0] in THIS_MACHINE else https_proxy(host)
    return ProxyHandler({"https": proxy} if proxy and not is_socks(proxy) else {})


class DbtCloudRefusedError(UserError):
    """dbt Cloud refused a request. `status` is HTTP's number; the doctor knows what it means."""

    def __init__(self, host: str, answer: Answer) -> None:
        detail = answer.message or redirection(answer.headers) or responses.get(answer.status, "")
        super().__init__(
            f"dbt Cloud refuses: {answer.status} {detail}".rstrip(),
            f"So answered {host}.",
            ("To find out why, and whom to ask:   make doctor",),
        )
        self.status = answer.status


class DbtCloudSilentError(UserError):
    def __init__(self, host: str, reason: object) -> None:
        super().__init__(
            f"dbt Cloud does not answer at https://{host}",
            f"Asking it gave: {reason}.",
            ("To see what runs:   make status", "To find out why:   make doctor"),
        )


@dataclass(frozen=True, slots=True)
class DbtCloudApi:
    """
    Calls to the Administrative API of one account. All but `trigger` only read.

    The texts of its answers are printable, whoever wrote them: commands show them in a terminal.
    """

    host: str
    account_id: int
    token: str = field(repr=False)
    trusted: ssl.SSLContext = field(repr=False)

    @classmethod
    def of(cls, connection: DbtCloudConnection, trusted: ssl.SSLContext) -> Self:
        return cls(connection.host, connection.account_id, connection.token, trusted)

    def accounts(self) -> list[dict[str, Any]]:
        """List the accounts that the token is for."""
        accounts: list[dict[str, Any]] = self._data(list, self._send("/api/v2/accounts/"))
        return accounts

    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = self._data(dict, self._read("v2", ""))
        return account

    def projects(self) -> list[dict[str, Any]]:
        return self._list("v3", "projects/")

    def environments(self, project_id: int) -> list[dict[str, Any]]:
        return self._list("v3", f"projects/{project_id}/environments/")

    def jobs(self, project_id: int, environment_id: int) -> list[dict[str, Any]]:
        chosen = {"project_id": project_id, "environment_id": environment_id}
        return self._list("v2", "jobs/", chosen)

    def job(self, job_id: int) -> dict[str, Any]:
        """Read a job with its newest run, whatever became of it."""
        related = {"include_related": "most_recent_run"}
        job: dict[str, Any] = self._data(dict, self._read("v2", f"jobs/{job_id}/", related))
        return job

    def run(self, run_id: int) -> dict[str, Any]:
        """Read a run with its trigger (who asked for it) and its steps."""
        related = {"include_related": "trigger,job,run_steps"}
        run: dict[str, Any] = self._data(dict, self._read("v2", f"runs/{run_id}/", related))
        return run

    def newest_runs(self, job_id: int, count: int) -> list[dict[str, Any]]:
        newest = {"job_definition_id": job_id, "order_by": "-id", "limit": count}
        runs: list[dict[str, Any]] = self._data(list, self._read("v2", "runs/", newest))
        return runs

    def run_results(self, run_id: int, step: int) -> dict[str, Any] | None:
        """Fetch a step's run_results.json; None when the step wrote none."""
        path = f"runs/{run_id}/artifacts/run_results.json"
        try:
            results: dict[str, Any] = self._read("v2", path, {"step": step})
        except DbtCloudRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return results

    def trigger(self, job_id: int, cause: str) -> dict[str, Any]:
        """Start a run of a job. Sent once: a second try could start a second run."""
        path = f"/api/v2/accounts/{self.account_id}/jobs/{job_id}/run/"
        run: dict[str, Any] = self._data(dict, self._send(path, body={"cause": cause}))
        return run

    def link_to(self, page: str) -> str:
        """Ask the local dbt Cloud for a link that opens one of its pages; dbt Cloud needs none."""
        return str(self._send("/_local/links/", body={"page": page})["url"])

    def _list(self, version: str, path: str, query: Query = None) -> list[dict[str, Any]]:
        """Read all pages, whatever page size the server prefers."""
        found: list[dict[str, Any]] = []
        while True:
            paging = {**(query or {}), "limit": PAGE, "offset": len(found), "order_by": "id"}
            answer = self._read(version, path, paging)
            page = self._data(list, answer)
            found += page
            total = (answer.get("extra") or {}).get("pagination", {}).get("total_count", 0)
            if not page or len(found) >= total:
                return found

    def _data(self, kind: type[list[Any] | dict[str, Any]], answer: Any) -> Any:
        """Take what is in the envelope. Who sends something else there is not dbt Cloud."""
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, kind):
            raise DbtCloudSilentError(self.host, "an answer that is not one of dbt Cloud's")
        return data

    def _read(self, version: str, path: str, query: Query = None) -> Any:
        return self._send(f"/api/{version}/accounts/{self.account_id}/{path}", query)

    def _send(self, path: str, query: Query = None, body: Query = None) -> Any:
        address = path + (f"?{urlencode(query)}" if query else "")
        method = "GET" if body is None else "POST"
        try:
            answer = send(self.host, address, self.token, self.trusted, method=method, body=body)
        except (OSError, HTTPException) as error:
            raise DbtCloudSilentError(self.host, getattr(error, "reason", error)) from None
        if answer.status >= REDIRECTED:
            raise DbtCloudRefusedError(self.host, answer)
        if answer.json is None:
            raise DbtCloudSilentError(self.host, "an answer that is no JSON")
        return printable_json(answer.json)
