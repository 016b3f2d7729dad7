"""What a test does with a local dbt Cloud: break it, hold it, look into it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dbt_cloud_api.connection_settings import DbtCloudConnection
from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer


Ending = Literal["success", "error", "cancelled", "timeout"]


@dataclass(frozen=True, slots=True)
class Connection(DbtCloudConnection):
    """How to reach it. `job_id` is that of the first declared job."""

    ca_bundle: Path

    def for_airflow(self) -> str:
        """The value of an AIRFLOW_CONN_… variable."""
        return json.dumps(self.fields())


@dataclass(frozen=True, slots=True)
class Run:
    """`status` in one word; `details` is the run as the API shows it, with trigger and steps."""

    id: int
    job_id: int
    status: str
    cause: str
    message: str | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One that a client sent to the API; `status` is None when its connection was cut."""

    method: str
    path: str
    status: int | None


class DbtCloud:
    def __init__(self, server: ThrowawayServer, jobs: dict[str, int]) -> None:
        self.server, self.jobs = server, jobs
        account_id = server.ask("GET", "/_local/health")["account_id"]
        self.connection = Connection(
            host=f"localhost:{server.port}",
            account_id=account_id,
            job_id=next(iter(jobs.values())),
            token=server.token,
            is_local=True,
            ca_bundle=server.ca_bundle,
        )

    # What happens to requests

    def fail_next(self, what: int | str = 503, **details: Any) -> None:
        """
        Make the next request that matches fail.

        `what`: an HTTP status, or "html", "truncated", "reset", "lost_answer", "slow",
        "rate_limit".
        `details`: method, path, times, after, status, carried_out, delay_seconds,
        cool_down_seconds, retry_after, as docs/local_controls.md describes them.
        """
        fault = {"kind": "status", "status": what} if isinstance(what, int) else {"kind": what}
        self.server.ask("POST", "/_local/faults/", fault | details)

    def stop_failing(self) -> None:
        self.server.ask("DELETE", "/_local/faults/")

    def revoke_token(self) -> None:
        self.server.ask("POST", "/_local/token/revoke/")

    def restore_token(self) -> None:
        self.server.ask("POST", "/_local/token/restore/")

    @property
    def requests(self) -> list[Request]:
        """Oldest first."""
        found = self.server.ask("GET", "/_local/requests/")["requests"]
        return [Request(each["method"], each["path"], each["status"]) for each in found]

    def link_to(self, run: Run) -> str:
        """The run's page; opened within minutes, it lets a browser in."""
        page = urlsplit(run.details["href"]).path
        return str(self.server.ask("POST", "/_local/links/", {"page": page})["url"])

    # What becomes of runs

    @property
    def runs(self) -> list[Run]:
        """Oldest first."""
        return [to_run(each) for each in self.server.ask("GET", "/_local/runs/")["runs"]]

    def hold(self, at: Literal["queued", "running"] = "running") -> None:
        """Runs stay queued, or stay running, until they are released or ended."""
        self.server.ask("POST", "/_local/pace/", {"hold": at})

    def release(self) -> None:
        self.server.ask("POST", "/_local/pace/", {"hold": None})

    def take_seconds(self, seconds: float) -> None:
        """How long each command of a simulated run takes; nothing at first."""
        self.server.ask("POST", "/_local/pace/", {"seconds": seconds})

    def end_next_run_as(self, end: Ending, **details: Any) -> None:
        """`details`: times, job_id, message, failed (names of dbt nodes), artifacts."""
        self.server.ask("POST", "/_local/runs/next/", {"end": end, **details})

    def end_run(self, run_id: int, end: Ending) -> None:
        self.server.ask("POST", f"/_local/runs/{run_id}/end/", {"end": end})

    def reset(self) -> None:
        """As a server that was just started; ids go on."""
        self.server.ask("POST", "/_local/reset/")


def start_dbt_cloud(jobs: Path, process_env: dict[str, str]) -> DbtCloud:
    """Raise `UserError` when it does not start."""
    server = ThrowawayServer.start(jobs, process_env)
    return DbtCloud(server, server.ask("GET", "/_local/jobs/")["jobs"])


def to_run(details: dict[str, Any]) -> Run:
    return Run(
        id=details["id"],
        job_id=details["job_definition_id"],
        status=RunStatus(details["status"]).humanized.lower(),
        cause=details["trigger"]["cause"],
        message=details["status_message"],
        details=details,
    )
