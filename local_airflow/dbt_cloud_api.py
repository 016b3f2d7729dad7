"""
Ask dbt Cloud itself, without Airflow: the other witness of what a DAG did.

    DbtCloudRefusedError(UserError)   dbt Cloud answered, and refused
    DbtCloudSilentError(UserError)    it did not answer, or not as dbt Cloud does
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from local_airflow.dbt_cloud_connection import DbtCloudConnection
from local_airflow.settings import Settings
from local_airflow.trust import tls_context
from local_airflow.user_error import UserError


SECONDS = 30
NOT_FOUND = 404
PAGE = 100

Query = Mapping[str, object] | None


class DbtCloudRefusedError(UserError):
    """dbt Cloud refused a request. `status` is HTTP's number; the doctor knows what it means."""

    def __init__(self, host: str, status: int, detail: str) -> None:
        super().__init__(
            f"dbt Cloud refuses: {status} {detail}".rstrip(),
            f"So answered {host}.",
            ("To find out why, and whom to ask:   make doctor",),
        )
        self.status = status


class DbtCloudSilentError(UserError):
    def __init__(self, host: str, reason: object) -> None:
        super().__init__(
            f"dbt Cloud does not answer at https://{host}",
            f"Asking it gave: {reason}.",
            ("To see what runs:   make status", "To find out why:   make doctor"),
        )


@dataclass(frozen=True, slots=True)
class DbtCloudApi:
    """Calls to the Administrative API of one account. All but `trigger` only read."""

    host: str
    account_id: int
    token: str = field(repr=False)
    trusted: ssl.SSLContext = field(repr=False)

    @classmethod
    def of(cls, connection: DbtCloudConnection, settings: Settings) -> Self:
        trusted = tls_context(settings)
        return cls(connection.host, connection.account_id, connection.token, trusted)

    def accounts(self) -> list[dict[str, Any]]:
        """List the accounts that the token is for."""
        accounts: list[dict[str, Any]] = self._send("v2/accounts/")["data"]
        return accounts

    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = self._read("v2", "")["data"]
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
        job: dict[str, Any] = self._read("v2", f"jobs/{job_id}/", related)["data"]
        return job

    def run(self, run_id: int) -> dict[str, Any]:
        """Read a run with its trigger (who asked for it) and its steps."""
        related = {"include_related": "trigger,job,run_steps"}
        run: dict[str, Any] = self._read("v2", f"runs/{run_id}/", related)["data"]
        return run

    def newest_runs(self, job_id: int, count: int) -> list[dict[str, Any]]:
        newest = {"job_definition_id": job_id, "order_by": "-id", "limit": count}
        runs: list[dict[str, Any]] = self._read("v2", "runs/", newest)["data"]
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
        path = f"v2/accounts/{self.account_id}/jobs/{job_id}/run/"
        run: dict[str, Any] = self._send(path, body={"cause": cause})["data"]
        return run

    def _list(self, version: str, path: str, query: Query = None) -> list[dict[str, Any]]:
        """Read all pages, whatever page size the server prefers."""
        found: list[dict[str, Any]] = []
        while True:
            paging = {**(query or {}), "limit": PAGE, "offset": len(found), "order_by": "id"}
            answer = self._read(version, path, paging)
            found += answer["data"]
            total = (answer.get("extra") or {}).get("pagination", {}).get("total_count", 0)
            if not answer["data"] or len(found) >= total:
                return found

    def _read(self, version: str, path: str, query: Query = None) -> Any:
        return self._send(f"{version}/accounts/{self.account_id}/{path}", query)

    def _send(
        self,
        path: str,
        query: Query = None,
        body: Query = None,
    ) -> Any:
        request = Request(  # https, as written here
            f"https://{self.host}/api/{path}" + (f"?{urlencode(query)}" if query else ""),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=SECONDS, context=self.trusted) as answer:  # noqa: S310 # as above
                return json.load(answer)
        except HTTPError as error:
            with error:
                detail = _words(error.read().decode(errors="replace")) or error.reason
            raise DbtCloudRefusedError(self.host, error.code, detail) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            raise DbtCloudSilentError(self.host, getattr(error, "reason", error)) from None


def _words(text: str) -> str:
    """Take dbt Cloud's own words out of a refusal."""
    try:
        body = json.loads(text)
        return str(body["status"]["user_message"] or "")
    except (ValueError, KeyError, TypeError):
        return ""
