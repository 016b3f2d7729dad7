"""
The provider's hook, with what a task needs to live through a bad minute of dbt Cloud.

The provider gives its requests no time limit, repeats neither 5xx nor 429, and, when told to
repeat, repeats the POST that starts a run as well. Every method of the provider's hook works here
too, because only the one method below all of them is replaced.
"""

import json
import time
from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from typing import Any

import requests
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
from airflow.sdk.exceptions import AirflowNotFoundException
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from airflow_dbt_cloud.calls.api_errors import (
    AnswerLostError,
    DbtCloudApiError,
    NotConnectedError,
    UnavailableError,
    error_of,
)
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.calls.clock import seconds_ahead
from airflow_dbt_cloud.calls.job_names import JobNames, JobsApi, TaskConfigurationError, find_job
from airflow_dbt_cloud.calls.request_headers import request_headers
from airflow_dbt_cloud.failure import CREDENTIALS
from dbt_cloud_api.client import REDIRECTED


SECONDS_PER_REQUEST = 30
PATIENCE = 90.0


class PatientDbtCloudHook(DbtCloudHook):
    """
    `DbtCloudHook` with time limits, and with repeats of what may be repeated.

    A GET and a cancel are repeated for `patience` seconds. Any other POST is repeated only where
    dbt Cloud cannot have seen it or has said that it did nothing (429).
    """

    def __init__(
        self,
        dbt_cloud_conn_id: str = DbtCloudHook.default_conn_name,
        timeout_seconds: int | None = SECONDS_PER_REQUEST,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
        **provider_options: Any,
    ) -> None:
        # `retry_limit` and its like are the provider's way, for which `patience` stands in here.
        super().__init__(dbt_cloud_conn_id, timeout_seconds, **provider_options)
        self.patience = patience
        self.sleep = sleep
        self._session: requests.Session | None = None
        # Both clocks are taken for right until an answer says otherwise.
        self.seconds_ahead = 0.0

    @cached_property
    def connection(self) -> Any:
        """Read the Airflow connection; raise `TaskConfigurationError` if it leads nowhere."""
        name = self.dbt_cloud_conn_id
        try:
            connection = self.get_connection(name)
        except AirflowNotFoundException:
            raise _no_way(
                f"There is no Airflow connection {name!r}.",
                "The task's dbt_cloud_conn_id names it.",
                "make one of the type dbt Cloud, or correct dbt_cloud_conn_id",
            ) from None
        if not connection.password:
            raise _no_way(
                f"The Airflow connection {name!r} has no API token.",
                "dbt Cloud knows nobody without one.",
                "put a service token into its field API Token",
            )
        return connection

    def _resolve_account_id(self) -> int:
        login = self.connection.login
        if not str(login or "").isdigit():
            raise _no_way(
                f"The Airflow connection {self.dbt_cloud_conn_id!r} does not say which account.",
                f"Its field Account ID is {login!r}, and the task has no account_id.",
                "put the account's number there, which every address in dbt Cloud has",
            )
        return int(login)

    def get_conn(self, *_arguments: Any, **_options: Any) -> requests.Session:
        """Keep one connection: a new one each time would read the trusted certificates anew."""
        if self._session is None:
            self._session = _Session()
            self._session.auth = _Headers(request_headers(self.connection.password or ""))
            self.base_url = f"https://{self._get_tenant_domain(self.connection)}/"
            # Repeats are decided below, never inside the library.
            self._session.mount("https://", HTTPAdapter(max_retries=0))
        return self._session

    def beside(self, timeout_seconds: int, patience: float) -> "PatientDbtCloudHook":
        """
        Give one for a signal handler, which interrupts whatever this one is in the middle of.

        It talks to dbt Cloud over a session of its own, and knows connection and account already:
        it must not ask Airflow for them while the task waits for another answer of Airflow's, for
        then both would wait until Airflow kills the task.
        """
        other = copy(self)
        other.timeout_seconds, other.patience = timeout_seconds, patience
        other.sleep, other._session = time.sleep, None  # noqa: SLF001 # of this very class
        return other

    def get_job_by_name(
        self,
        *,
        project_name: str,
        environment_name: str,
        job_name: str,
        account_id: int | None = None,
    ) -> dict[str, Any]:
        """Find the one job of these names, as the operator does; raise `TaskConfigurationError`."""
        return find_job(
            JobsApi(self, account_id), JobNames(project_name, environment_name, job_name)
        )

    def link_to(self, page: str) -> str:
        """Ask the local dbt Cloud for a link that opens one of its pages; dbt Cloud needs none."""
        answer = self._send("POST", "_local/links/", json.dumps({"page": page}), {})
        return str(answer.json()["url"])

    def run_with_advanced_retry(
        self,
        _retry_args: dict[Any, Any],
        *,
        endpoint: str | None = None,
        data: Mapping[str, Any] | str | None = None,
        extra_options: Mapping[str, Any] | None = None,
    ) -> requests.Response:
        """Send one request of the provider's hook; raise `DbtCloudApiError`."""
        method, options = self.method, dict(extra_options or {})
        if endpoint and "/artifacts/" not in endpoint:
            # As dbt Cloud documents it; without the slash it may answer with a redirect.
            endpoint = f"{endpoint.rstrip('/')}/"
        may_repeat = method == "GET" or str(endpoint).endswith("/cancel/")
        give_up_at = time.monotonic() + self.patience
        failures = 0
        while True:
            try:
                return self._send(method, endpoint or "", data, options)
            except DbtCloudApiError as error:
                failures += 1
                pause = backoff(failures, error.retry_after)
                hopeless = not error.is_passing or time.monotonic() + pause > give_up_at
                if hopeless or (error.may_have_acted and not may_repeat):
                    raise
                self.log.warning("%s. Trying again in %.1f s.", error, pause)
                self.sleep(pause)

    def _send(
        self,
        method: str,
        endpoint: str,
        data: Mapping[str, Any] | str | None,
        options: Mapping[str, Any],
    ) -> requests.Response:
        what = f"{method} /{endpoint}"
        session = self.get_conn()
        body = {"params": data} if method == "GET" else {"data": data}
        try:
            answer = session.request(
                method,
                f"{self.base_url}{endpoint}",
                timeout=options.get("timeout", self.timeout_seconds),
                proxies=options.get("proxies"),
                **body,  # type: ignore[arg-type] # either the query or the body
            )
        except requests.RequestException as error:
            raise _network_error(what, error) from error
        self.seconds_ahead = seconds_ahead(answer.headers, self.seconds_ahead)
        if answer.status_code >= REDIRECTED:
            raise error_of(answer.status_code, what, _json_of(answer), answer.headers)
        if endpoint and "/artifacts/" not in endpoint and _json_of(answer) is None:
            # A gateway's page with status 200 has been seen, for a run that was started.
            raise UnavailableError(f"{what}: the answer is not JSON")
        return answer


def _no_way(what: str, why: str, remedy: str) -> TaskConfigurationError:
    return TaskConfigurationError(what, why, f"{remedy}; then Clear this task", CREDENTIALS)


class _Session(requests.Session):
    """Follows no redirect, and does not read where one leads, which may be no text at all."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 # requests' own
        return None


class _Headers(AuthBase):
    """As the session's `auth`, so that no `.netrc` can put another name and password there."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.headers)
        return request


def _json_of(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _network_error(what: str, error: requests.RequestException) -> DbtCloudApiError:
    """Tell a connection that never was from one that broke: only the first is harmless."""
    cause: Any = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    never = isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    )
    kind = NotConnectedError if never else AnswerLostError
    return kind(f"{what}: {type(error).__name__}: {_innermost(error)}")


def _innermost(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None and inner is not error:
        error = inner
    return error
