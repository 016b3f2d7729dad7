"""A local dbt Cloud as a real process, over TLS, with real dbt or with a stand-in for it."""

import json
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from local_dbt_cloud.testing.throwaway_server import free_port


REPOSITORY = Path(__file__).resolve().parents[3]
SERVER_PYTHON = REPOSITORY / ".local/local-dbt-cloud/bin/python"
REAL_DBT = REPOSITORY / ".local/dbt/bin/dbt"
TOKEN = "dbtc_a-token-of-the-tests"
ACCOUNT, PROJECT, ENVIRONMENT = 70403103900001, 70403103900011, 70403103900021
JOB, OTHER_JOB, THIRD_JOB = 70403103900101, 70403103900102, 70403103900103
NO_WAREHOUSE = {
    "WAREHOUSE_HOST": "127.0.0.1",
    "WAREHOUSE_PORT": "1",
    "WAREHOUSE_USER": "warehouse",
    "WAREHOUSE_PASSWORD": "a-password-of-the-tests",
    "WAREHOUSE_DATABASE": "warehouse",
}

# What stands in for dbt where dbt itself is not the point. `--select hold` goes on until a file
# called `release` is beside the project or a signal comes, `--select fail` fails, and
# `--select tell` leaves its process environment as an artifact.
STAND_IN = """\
#!{python} -S
import json, os, pathlib, signal, sys, time
arguments = sys.argv[1:]
target = pathlib.Path(os.environ["DBT_TARGET_PATH"])
target.mkdir(parents=True, exist_ok=True)
pathlib.Path(os.environ["DBT_LOG_PATH"], "dbt.log").write_text("debug " * 3 + chr(10))
print("12:00:00  Running with dbt=stand-in", *arguments, flush=True)
if "hold" in arguments:
    pathlib.Path("{folder}", "held-" + os.environ["DBT_CLOUD_RUN_ID"]).write_text(str(os.getpid()))
    while not pathlib.Path("{folder}", "release").exists():
        time.sleep(0.01)
if "stubborn" in arguments:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pathlib.Path("{folder}", "held-" + os.environ["DBT_CLOUD_RUN_ID"]).write_text(str(os.getpid()))
    time.sleep(600)
failed = "fail" in arguments
if arguments[0] != "deps":
    status, message = ("error", "Database Error in one: it broke") if failed else ("success", "OK")
    result = dict(unique_id="model.tiny.one", status=status, message=message, execution_time=0.5,
                  adapter_response=dict(rows_affected=7))
    results = dict(metadata=dict(env=dict()), args=dict(which=arguments[0]), results=[result])
    (target / "run_results.json").write_text(json.dumps(results))
    (target / "manifest.json").write_text("{{}}")
if arguments[0] == "deps":
    pathlib.Path("{folder}", "env_of_deps.json").write_text(json.dumps(dict(os.environ)))
if "tell" in arguments:
    (target / "process_env.json").write_text(json.dumps(dict(os.environ)))
print("12:00:01  " + ("Encountered an error:" if failed else "Done."), flush=True)
sys.exit(failed)
"""


def job(job_id: int, name: str, *steps: str, **more: Any) -> dict[str, Any]:
    """A job in the format of dbt-jobs-as-code."""
    return {
        "linked_id": job_id,
        "account_id": ACCOUNT,
        "project_id": PROJECT,
        "environment_id": ENVIRONMENT,
        "name": name,
        "execute_steps": list(steps),
        "run_generate_sources": False,
        "generate_docs": False,
        "settings": {"threads": 4, "target_name": "default"},
        "schedule": {"cron": "0 * * * *"},
        "triggers": {"github_webhook": False, "git_provider_webhook": False, "schedule": False},
        "job_type": "other",
        **more,
    }


def declare(*jobs: dict[str, Any], run_slots: int = 2) -> dict[str, Any]:
    """The content of a dbt_cloud_jobs.yml."""
    environment = {
        "id": ENVIRONMENT,
        "name": "Production",
        "connection_id": 31,
        "credentials_id": 41,
        "schema": "tiny",
    }
    project = {
        "id": PROJECT,
        "name": "Tiny",
        "folder": "project",
        "repository_id": 51,
        "environments": [environment],
    }
    return {
        "jobs": {f"job_{one['linked_id']}": one for one in jobs},
        "local_dbt_cloud": {
            "id": ACCOUNT,
            "name": "Local",
            "run_slots": run_slots,
            "connections": [{"id": 31, "name": "Warehouse"}],
            "projects": [project],
        },
    }


def write_project(folder: Path) -> Path:
    """A dbt project of two models and a test, in `project/`."""
    project = folder / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: tiny\nversion: '1.0'\nconfig-version: 2\nprofile: nobody\n"
        "models: {tiny: {+materialized: table}}\n"
    )
    (project / "models/one.sql").write_text("select 1 as id\n")
    (project / "models/two.sql").write_text("select id from {{ ref('one') }}\n")
    (project / "models/schema.yml").write_text(
        textwrap.dedent(
            """\
            models:
              - name: two
                columns:
                  - name: id
                    data_tests: [not_null]
            """
        )
    )
    return project


@dataclass
class Server:
    """One server in one folder: its process, its settings, and a client for it."""

    folder: Path
    process_env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    token: str = TOKEN
    account: int = ACCOUNT
    client: httpx.Client | None = None

    @property
    def port(self) -> int:
        return int(self.process_env["LOCAL_DBT_CLOUD_PORT"])

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def bundle(self) -> Path:
        return self.folder / "tls/bundle.pem"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def start(self) -> "Server":
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER_PYTHON, "-m", "local_dbt_cloud", "serve"],
                cwd=REPOSITORY,
                env=self.process_env,
                stderr=log,
            )
        self.client = self._wait_until_healthy()
        return self

    def _wait_until_healthy(self) -> httpx.Client:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                trusted = ssl.create_default_context(cafile=str(self.bundle))
            except OSError:
                time.sleep(0.05)
                continue
            client = httpx.Client(
                base_url=self.url,
                verify=trusted,
                headers={"Authorization": f"Token {self.token}"},
                timeout=60,
            )
            try:
                client.get("/_local/health").raise_for_status()
            except httpx.HTTPError:
                client.close()
                time.sleep(0.05)
            else:
                return client
        pytest.fail(f"the server did not become healthy:\n{self.log}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, wait, and answer the exit code."""
        if self.client is not None:  # it may never have become healthy
            self.client.close()
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request below /api/, `path` beginning with v2 or v3."""
        version, _, rest = path.partition("/")
        path = f"/api/{version}/accounts/{self.account}/{rest}"
        return self.client.request(method, path, **options)

    def get(self, path: str, **params: Any) -> Any:
        """The data of a GET that must succeed."""
        answer = self.request("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The data of an answer that must have this status."""
        answer = self.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["status"]["code"] == status
        return answer.json()["data"]

    def trigger(self, job_id: int = JOB, **body: Any) -> dict[str, Any]:
        """The run as the trigger answers it."""
        answer = self.request("POST", f"v2/jobs/{job_id}/run/", json={"cause": "a test", **body})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def wait(
        self, run_id: int, until: Callable[[dict[str, Any]], Any], seconds: float = 180
    ) -> Any:
        """The run, with its steps, once it is as it should be."""
        deadline = time.monotonic() + seconds
        while True:
            run = self.get(f"v2/runs/{run_id}/", include_related="run_steps,trigger,debug_logs")
            if until(run):
                return run
            if time.monotonic() > deadline:
                steps = [(step["name"], step["logs"][-500:]) for step in run["run_steps"]]
                message = f"run {run_id} is {run['status']}: {run['status_message']}"
                pytest.fail(f"{message}\n{json.dumps(steps, indent=1)}", pytrace=False)
            time.sleep(0.02)

    def finish(self, run_id: int, seconds: float = 240) -> dict[str, Any]:
        return self.wait(run_id, lambda run: run["is_complete"], seconds)

    def held(self, run_id: int) -> int:
        """Wait until the stand-in for dbt holds the run; answer its process id."""
        marker = self.folder / f"held-{run_id}"
        self.wait(run_id, lambda _: marker.exists() and marker.read_text())
        return int(marker.read_text())

    def release(self) -> None:
        (self.folder / "release").touch()


def prepare_server(
    folder: Path, declared: dict[str, Any], *, dbt: Path | None = None, **process_env: str
) -> Server:
    """A server in a folder, with its project and jobs; not yet started."""
    write_project(folder)
    jobs = folder / "dbt_cloud_jobs.yml"
    jobs.write_text(yaml.safe_dump(declared))
    stand_in = folder / "dbt"
    stand_in.write_text(STAND_IN.format(python=sys.executable, folder=folder))
    stand_in.chmod(0o755)
    port = free_port()
    own = {
        "LOCAL_DBT_CLOUD_PORT": str(port),
        "LOCAL_DBT_CLOUD_URL": f"https://localhost:{port}",
        "LOCAL_DBT_CLOUD_STATE": str(folder / "state"),
        "LOCAL_DBT_CLOUD_TLS": str(folder / "tls"),
        "LOCAL_DBT_CLOUD_TOKEN": TOKEN,
        "LOCAL_DBT_CLOUD_DBT": str(dbt or stand_in),
        "LOCAL_DBT_CLOUD_JOBS": str(jobs),
        **NO_WAREHOUSE,
        **process_env,
    }
    # As in a shell that a hook of git has opened.
    of_hook = {"GIT_DIR": str(folder / "nowhere")}
    return Server(folder, {**os.environ, **of_hook, **own})
