"""The sample job, against the plain `dbt build` that somebody would type instead."""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.own_servers import DBT, FLIGHTS, own_dbt_cloud, own_warehouse
from local_airflow.base.folders import ROOT
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer


ACCOUNT, JOB = 70403103900001, 70403103900101
API = f"/api/v2/accounts/{ACCOUNT}"
GOES = 3


@dataclass
class SampleJob:
    """Seconds; the job is deps, source freshness, build and docs, `steps` by name."""

    runs: list[float] = field(default_factory=list)
    plain_build: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)


def measure_sample_job() -> SampleJob:
    """Alternating, so that whatever else the machine does is in both."""
    found = SampleJob()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        own_warehouse() as process_env,
        own_dbt_cloud(FLIGHTS, process_env) as server,
    ):
        project = Path(folder) / "dbt_project"
        shutil.copytree(ROOT / "dbt_project", project)
        # Neither is measured the first time, when both have yet to parse the project.
        run_plainly(project, process_env)
        finish(server)
        for _ in range(GOES):
            found.plain_build.append(run_plainly(project, process_env))
            run = finish(server)
            found.runs.append(seconds(run, "created_at", "finished_at"))
            for step in run["run_steps"]:
                took = seconds(step, "started_at", "finished_at")
                found.steps.setdefault(step["name"], []).append(took)
    return found


def run_plainly(project: Path, process_env: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(
        [DBT, "build"],
        cwd=project,
        env={**os.environ, **process_env, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - began


def finish(server: ThrowawayServer) -> dict[str, Any]:
    run = server.ask("POST", f"{API}/jobs/{JOB}/run/", {"cause": "a benchmark"})["data"]
    while not run["is_complete"]:
        time.sleep(0.2)
        path = f"{API}/runs/{run['id']}/?include_related=run_steps"
        run = server.ask("GET", path)["data"]
    if not run["is_success"]:
        raise SystemExit(f"the sample job failed: {run['status_message']}")
    return dict(run)


def seconds(record: dict[str, Any], start: str, end: str) -> float:
    began, ended = (datetime.fromisoformat(record[name]) for name in (start, end))
    return (ended - began).total_seconds()
