"""
What a check in a client's environment may ask for: where the local dbt Cloud is, what it holds.

Runs in every client's environment, so it needs pytest and nothing else.
"""

import json
import os
import ssl
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class SeededDbtCloud:
    """
    The server that all checks share.

    `jobs` are ids by name. `runs` are finished runs by how they ended: `success` (real dbt, with
    docs), `error` (real dbt, its second command failed) and `cancelled`. `host_without_cause` is a
    second server, whose only difference is that a trigger needs no cause.
    """

    url: str
    host: str
    token: str
    bundle: str
    account: int
    project: int
    environment: int
    host_without_cause: str
    jobs: dict[str, int]
    runs: dict[str, int]

    @property
    def cli_variables(self) -> dict[str, str]:
        """What dbt-cloud-cli reads from the process environment."""
        return {
            "DBT_CLOUD_API_TOKEN": self.token,
            "DBT_CLOUD_HOST": self.host,
            "DBT_CLOUD_ACCOUNT_ID": str(self.account),
            "DBT_CLOUD_PROJECT_ID": str(self.project),
            "DBT_CLOUD_ENVIRONMENT_ID": str(self.environment),
        }

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request below the root, `path` beginning with /; answers the JSON."""
        request = urllib.request.Request(  # noqa: S310 - it begins with https://
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=self.bundle)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if text else None

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """
        The `data` of a request to the API, `path` beginning with v2 or v3.

        The access log shows paths as they were sent. This one is spelt as no client spells it, so
        that what a check asks by itself does not count as asked by the client.
        """
        version, _, rest = path.partition("/")
        return self.call(method, f"/%61pi/{version}/accounts/{self.account}/{rest}", body)["data"]

    def run(self, run_id: int) -> dict[str, Any]:
        return self.api("GET", f"v2/runs/{run_id}/?include_related=run_steps,trigger,job")

    def trigger(self, job: str, **body: Any) -> int:
        path = f"v2/jobs/{self.jobs[job]}/run/"
        return self.api("POST", path, {"cause": "a check", **body})["id"]

    def finish(self, run_id: int) -> dict[str, Any]:
        """The run, once it has ended."""
        return self.wait(run_id, lambda run: run["is_complete"])

    def wait(self, run_id: int, until: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 180
        while not until(run := self.run(run_id)):
            assert time.monotonic() < deadline, f"run {run_id} is still {run['status_humanized']}"
            time.sleep(0.05)
        return run

    def next_run_ends(self, end: str, job: str, **more: Any) -> None:
        """Decide how the next run of a job ends: success, error, cancelled or timeout."""
        self.call("POST", "/_local/runs/next/", {"end": end, "job_id": self.jobs[job], **more})

    def hold(self, stage: str | None) -> None:
        """Hold all runs where they are: `queued`, `running`; None lets them go."""
        self.call("POST", "/_local/pace/", {"hold": stage})


@pytest.fixture(scope="session")
def dbt_cloud() -> SeededDbtCloud:
    """The local dbt Cloud, seeded."""
    return SeededDbtCloud(**json.loads(os.environ["SEEDED_DBT_CLOUD"]))


@dataclass(frozen=True)
class CommandLine:
    """A program of the client's, with what it reads from the process environment."""

    program: str
    process_env: dict[str, str]

    def __call__(self, *arguments: Any, code: int = 0, **more: str) -> str:
        """Call it as in a terminal; answer all that it printed."""
        done = self.run(arguments, code, more)
        return done.stdout + done.stderr

    def shown(self, *arguments: Any) -> str:
        """Call it; answer what it printed on stdout."""
        return self.run(arguments, 0, {}).stdout

    def json(self, *arguments: Any) -> Any:
        """Call it; answer the JSON with which its output begins."""
        text = self.shown(*arguments)
        return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]

    def run(
        self, arguments: tuple[Any, ...], code: int, more: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            env=os.environ | self.process_env | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def held_run(dbt_cloud):
    """The id of a run that is in progress and goes on only when it is cancelled or let go."""
    dbt_cloud.hold("running")
    run_id = dbt_cloud.trigger("Hold")
    dbt_cloud.wait(run_id, lambda run: run["status"] == 3)
    yield run_id
    dbt_cloud.hold(None)
    dbt_cloud.finish(run_id)
