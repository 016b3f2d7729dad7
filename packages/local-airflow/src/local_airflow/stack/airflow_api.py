"""
Airflow's REST API as `up` and `run` need it, with nothing but the standard library.

    AirflowApiError(UserError)       Airflow answered, and refused
    AirflowSilentError(UserError)    Airflow did not answer
"""

import json
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from dbt_cloud_api.client import REDIRECTED, AsItIs, redirection
from dbt_cloud_api.user_error import UserError
from local_airflow.stack.settings import StackSettings, load_settings


__all__ = ["AirflowApi", "AirflowApiError", "StackSettings", "load_settings"]

SECONDS_PER_REQUEST = 30
UNAUTHORIZED = 401

# A proxy that the user's network needs knows nothing of this machine's own ports.
_opener = build_opener(ProxyHandler({}), AsItIs())


class AirflowApiError(UserError):
    """Airflow refused a request. `status` is HTTP's number, `detail` Airflow's own words."""

    def __init__(self, status: int, detail: str, request: str = "a request") -> None:
        super().__init__(
            f"Airflow refused {request}",
            f"It answered {status}: {detail}",
            ("To see what it logged:   make logs S=api-server",),
        )
        self.status = status
        self.detail = detail


class AirflowSilentError(UserError):
    """Airflow did not answer, or not in time."""

    def __init__(self, base_url: str, error: Exception) -> None:
        super().__init__(
            f"Airflow does not answer at {base_url}",
            f"Connecting gave: {getattr(error, 'reason', error) or error!r}.",
            ("To see what runs:   make status", "To start it:   make up"),
        )


@dataclass
class AirflowApi:
    """Calls as one user, who is logged in at the first call and again when the token is old."""

    base_url: str
    username: str
    password: str = field(repr=False)
    seconds: float = SECONDS_PER_REQUEST
    _token: str | None = field(default=None, init=False, repr=False)

    def get(self, path: str, **query: Any) -> Any:
        """Answer the JSON at a path such as `/api/v2/dags`; None for an empty answer."""
        return self.request("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)

    def post(self, path: str, body: Any) -> Any:
        return self.request("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("PATCH", path, body)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON, answer JSON. Raises `AirflowApiError`, or `AirflowSilentError`."""
        try:
            return self._send(method, path, body, self.get_token())
        except AirflowApiError as error:
            if error.status != UNAUTHORIZED:
                raise
            self._token = None
            return self._send(method, path, body, self.get_token())

    def get_token(self) -> str:
        if self._token is None:
            login = {"username": self.username, "password": self.password}
            self._token = str(self._send("POST", "/auth/token", login)["access_token"])
        return self._token

    def get_public(self, path: str) -> Any:
        """Read what needs no login: health and version."""
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        request = Request(  # noqa: S310 # the scheme is ours, http to this machine
            f"{self.base_url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with _opener.open(request, timeout=self.seconds) as answer:
                text = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise AirflowSilentError(self.base_url, error) from None
        if answer.status >= REDIRECTED:
            detail = redirection(answer.headers) or _detail(text)
            raise AirflowApiError(answer.status, detail, f"{method} {path}")
        return json.loads(text) if text else None


def _detail(text: str) -> str:
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return text[:500]
    return detail if isinstance(detail, str) else json.dumps(detail)
