"""The one server that all clients share, and the runs that it holds before the first check."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    PROJECT,
    REAL_DBT,
    REPOSITORY,
    SERVER_PYTHON,
    Server,
    declare,
    job,
    write_project,
)

from local_dbt_cloud.testing.throwaway_server import free_port


JOBS = {"Build": 70403103900101, "Fail": 70403103900102, "Hold": 70403103900103}
BROKEN = "select id / 0 as id from {{ ref('one') }}\n"
SUCCESS, CANCELLED = 10, 30


# What clients ask that know no other host; they find it here through a proxy.
REAL_HOST = "cloud.getdbt.com"
MAKE_CERTIFICATES = """
import sys
from pathlib import Path
from local_dbt_cloud import certificates

certificates.HOST_NAMES += (sys.argv[2],)
certificates.ensure_certificates(Path(sys.argv[1]))
"""


@dataclass(frozen=True)
class SeededServer:
    """`facts` is what the checks are told."""

    server: Server
    facts: dict[str, Any]


def prepare_server(folder: Path, **process_env: str) -> Server:
    project = write_project(folder)
    (project / "models/broken.sql").write_text(BROKEN)
    jobs = folder / "dbt_cloud_jobs.yml"
    jobs.write_text(yaml.safe_dump(declared()))
    tls = folder / "tls"
    subprocess.run(
        [SERVER_PYTHON, "-c", MAKE_CERTIFICATES, tls, REAL_HOST], cwd=REPOSITORY, check=True
    )
    port = free_port()
    own = {
        "LOCAL_DBT_CLOUD_PORT": str(port),
        "LOCAL_DBT_CLOUD_URL": f"https://localhost:{port}",
        "LOCAL_DBT_CLOUD_STATE": str(folder / "state"),
        "LOCAL_DBT_CLOUD_TLS": str(tls),
        "LOCAL_DBT_CLOUD_TOKEN": "dbtc_a-token-of-the-clients",
        "LOCAL_DBT_CLOUD_DBT": str(REAL_DBT),
        "LOCAL_DBT_CLOUD_JOBS": str(jobs),
        **process_env,
    }
    return Server(folder, {**os.environ, **own}, token=own["LOCAL_DBT_CLOUD_TOKEN"])


def declared() -> dict[str, Any]:
    good = "--exclude broken"
    return declare(
        job(JOBS["Build"], "Build", f"dbt build {good}", generate_docs=True),
        job(
            JOBS["Fail"],
            "Fail",
            f"dbt run {good}",
            "dbt build --select broken",
            "dbt docs generate",
        ),
        job(JOBS["Hold"], "Hold", f"dbt build {good}"),
        run_slots=4,
    )


def seed(server: Server, lenient: Server) -> SeededServer:
    """
    Three runs, each ended in its own way, two of them by real dbt.

    Afterwards runs are simulated: from then on it is the clients that are tried, not dbt.
    """
    # One after the other, as they build the same tables.
    success = server.finish(server.trigger(JOBS["Build"])["id"])
    error = server.finish(server.trigger(JOBS["Fail"])["id"])
    cancelled = server.trigger(JOBS["Hold"])
    server.request("POST", f"v2/runs/{cancelled['id']}/cancel/").raise_for_status()
    cancelled = server.finish(cancelled["id"])
    assert success["status"] == SUCCESS, success["status_message"]
    assert "division by zero" in error["status_message"]
    assert cancelled["status"] == CANCELLED
    server.client.post("/_local/pace/", json={"mode": "simulated"}).raise_for_status()
    return SeededServer(
        server,
        {
            "url": server.url,
            "host": server.url.removeprefix("https://"),
            "host_without_cause": lenient.url.removeprefix("https://"),
            "token": server.token,
            "bundle": str(server.bundle),
            "account": ACCOUNT,
            "project": PROJECT,
            "environment": ENVIRONMENT,
            "jobs": JOBS,
            "runs": {
                "success": success["id"],
                "error": error["id"],
                "cancelled": cancelled["id"],
            },
        },
    )
