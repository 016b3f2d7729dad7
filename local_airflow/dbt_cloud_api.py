"""Ask dbt Cloud itself, without Airflow: the other witness of what a DAG did."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from local_airflow.dbt_cloud_connection import DbtCloudConnection
from local_airflow.settings import Settings
from local_airflow.user_error import UserError


SECONDS = 30


@dataclass(frozen=True, slots=True)
class DbtCloudApi:
    """
    Read-only calls to the Administrative API v2 of one account.

    `ca_bundle` is a file of certificates to trust, or None for the system's own.
    """

    host: str
    account_id: int
    token: str = field(repr=False)
    ca_bundle: Path | None

    @classmethod
    def of(cls, connection: DbtCloudConnection, settings: Settings) -> Self:
        bundle = settings.tls_bundle
        return cls(
            host=connection.host,
            account_id=connection.account_id,
            token=connection.token,
            ca_bundle=bundle if bundle.exists() else None,
        )

    def run(self, run_id: int) -> dict[str, Any]:
        """Read a run with its trigger (who asked for it) and its steps."""
        related = {"include_related": "trigger,job,run_steps"}
        data: dict[str, Any] = self._get(f"runs/{run_id}/", related)["data"]
        return data

    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = self._get("", {})["data"]
        return account

    def job(self, job_id: int) -> dict[str, Any]:
        """Read a job with its newest run, whatever became of it."""
        related = {"include_related": "most_recent_run"}
        job: dict[str, Any] = self._get(f"jobs/{job_id}/", related)["data"]
        return job

    def run_results(self, run_id: int, step: int) -> dict[str, Any] | None:
        """Fetch a step's run_results.json; None when the step wrote none."""
        path = f"runs/{run_id}/artifacts/{quote('run_results.json')}"
        try:
            results: dict[str, Any] = self._get(path, {"step": str(step)})
        except HTTPError as error:
            if error.code == 404:  # noqa: PLR2004 # HTTP's own number
                return None
            raise
        return results

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        url = f"https://{self.host}/api/v2/accounts/{self.account_id}/{path}?{urlencode(query)}"
        request = Request(
            url, headers={"Authorization": f"Token {self.token}"}
        )  # https, two lines above
        trusted = ssl.create_default_context(cafile=str(self.ca_bundle) if self.ca_bundle else None)
        try:
            with urlopen(request, timeout=SECONDS, context=trusted) as answer:  # noqa: S310 # https
                return json.load(answer)
        except HTTPError:
            raise
        except (URLError, OSError) as error:
            raise UserError(
                f"dbt Cloud does not answer at https://{self.host}",
                f"Connecting gave: {getattr(error, 'reason', error)}.",
                ("To see what runs:   make status", "To start it again:   make up"),
            ) from error
