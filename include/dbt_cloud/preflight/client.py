"""One GET to dbt Cloud at a time: every step of the way can fail by itself."""

import json
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from include.dbt_cloud.preflight.check import PreflightError, error
from include.dbt_cloud.preflight.route import Route
from include.dbt_cloud.preflight.tls import NETWORK, connect, start_tls


USER_AGENT = "airflow-dbt-cloud-preflight"
BIGGEST_ANSWER = 20 * 1024 * 1024
JOBS_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is None when it is not dbt Cloud's JSON envelope."""

    status: int
    headers: Message
    text: str
    body: dict[str, Any] | None

    @property
    def data(self) -> Any:
        return self.body.get("data") if self.body else None

    @property
    def message(self) -> str:
        """Give dbt Cloud's own words for a refusal."""
        status = (self.body or {}).get("status")
        if isinstance(status, dict):
            return str(status.get("user_message") or status.get("developer_message") or "")
        return str((self.body or {}).get("detail") or "")


@dataclass(frozen=True, slots=True)
class Client:
    """Reads, and only reads: there is no way to send anything but a GET."""

    route: Route
    token: str = field(repr=False)
    account_id: int

    def get(self, path: str, **query: object) -> Answer:
        """Read below /api/, for example `v2/accounts/1/`. Raises `PreflightError` for no answer."""
        address = f"/api/{path}" + (f"?{urlencode(query)}" if query else "")
        http = HTTPConnection(self.route.host, self.route.port)
        http.sock = start_tls(connect(self.route), self.route)
        # Without TLS it would connect anew by itself, and send the token in the clear.
        http.auto_open = 0
        headers = {
            "Authorization": f"Token {self.token}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        try:
            http.request("GET", address, headers=headers)
            response = http.getresponse()
            text = response.read(BIGGEST_ANSWER).decode(errors="replace")
        except (OSError, HTTPException) as broken:
            raise self._broken(address, broken) from None
        finally:
            http.close()
        return Answer(response.status, response.headers, text, _envelope(text))

    def of_account(self, version: str, path: str, **query: object) -> Answer:
        return self.get(f"{version}/accounts/{self.account_id}/{path}", **query)

    def _broken(self, address: str, broken: Exception) -> PreflightError:
        return error(
            "answer",
            f"{self.route.shown} takes the connection and then does not answer",
            f"GET {address} gave: {broken or repr(broken)}.",
            "Try once more in a minute:   make doctor",
            "Is dbt Cloud itself in trouble?   https://status.getdbt.com",
            ask=NETWORK,
        )


def _envelope(text: str) -> dict[str, Any] | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
