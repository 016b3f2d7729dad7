"""Servers of a benchmark's own: a local dbt Cloud, a PostgreSQL with flights; gone afterwards."""

import dataclasses
import http.client
import json
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from local_airflow.base.folders import LOCAL, ROOT, StateFolders
from local_airflow.native import postgres
from local_airflow.native.postgres_answers import Recovery, until_it_answers
from local_airflow.stack.generated_secrets import read_secrets
from local_airflow.stack.settings import load_settings
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer, free_port


DBT = LOCAL / "dbt/bin/dbt"
FLIGHTS = ROOT / "dbt_cloud_jobs.yml"
SECONDS_BETWEEN_LOOKS = 0.1
ACCOUNT, PROJECT, ENVIRONMENT, FIRST_JOB = 1, 11, 21, 101
# For commands that only parse: nothing listens there.
NO_WAREHOUSE = {
    "WAREHOUSE_HOST": "127.0.0.1",
    "WAREHOUSE_PORT": "1",
    "WAREHOUSE_USER": "nobody",
    "WAREHOUSE_PASSWORD": "none",
    "WAREHOUSE_DATABASE": "nowhere",
}


@contextmanager
def own_dbt_cloud(jobs: Path, process_env: Mapping[str, str]) -> Iterator[ThrowawayServer]:
    server = ThrowawayServer.start(jobs, {"LOCAL_DBT_CLOUD_DBT": str(DBT), **process_env})
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def own_warehouse() -> Iterator[dict[str, str]]:
    """A PostgreSQL with the flights of January 2013; the variables that lead to it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        # PostgreSQL may run as another user, who must reach its folder.
        root.chmod(0o755)
        settings = dataclasses.replace(
            load_settings(),
            folders=StateFolders(root),
            secrets=read_secrets(root / "secrets"),
            postgres_port=free_port(),
        )
        postgres.create_cluster(settings)
        server = subprocess.Popen(
            postgres.command(settings),
            cwd=root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            recovery = Recovery(settings.folders.postgres)
            for _ in until_it_answers(settings.postgres_port, recovery, lambda: server.pid):
                time.sleep(SECONDS_BETWEEN_LOOKS)
            own = postgres.own_server(settings)
            postgres.create_databases(own, settings.secrets.database_passwords)
            process_env = settings.warehouse_environment()
            load_flights(process_env)
            yield process_env
        finally:
            server.send_signal(2)  # SIGINT is PostgreSQL's fast shutdown
            server.wait()


def load_flights(process_env: Mapping[str, str]) -> None:
    subprocess.run(
        [LOCAL / "postgres/bin/python", "-m", "examples.loader", "load", "--month", "2013-01"],
        cwd=ROOT,
        env={**os.environ, **process_env},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def write_cheap_jobs(folder: Path, count: int, slots: int) -> Path:
    """Jobs of dbt's cheapest command, for a project of one model; answer their file."""
    models = folder / "project/models"
    models.mkdir(parents=True)
    (models / "one.sql").write_text("select 1 as id\n")
    (models.parent / "dbt_project.yml").write_text("name: tiny\nversion: '1.0'\nprofile: tiny\n")
    environment = {"id": ENVIRONMENT, "name": "Production", "schema": "tiny"}
    project = {"id": PROJECT, "name": "Tiny", "folder": "project", "repository_id": 51}
    content = {
        "jobs": {f"cheap_{number}": cheap_job(FIRST_JOB + number) for number in range(count)},
        "local_dbt_cloud": {
            "id": ACCOUNT,
            "name": "Benchmark",
            "run_slots": slots,
            "connections": [{"id": 31, "name": "Warehouse"}],
            "projects": [
                {
                    **project,
                    "environments": [{**environment, "connection_id": 31, "credentials_id": 41}],
                }
            ],
        },
    }
    jobs = folder / "dbt_cloud_jobs.yml"
    jobs.write_text(yaml.safe_dump(content))
    return jobs


def cheap_job(job_id: int) -> dict[str, Any]:
    return {
        "linked_id": job_id,
        "account_id": ACCOUNT,
        "project_id": PROJECT,
        "environment_id": ENVIRONMENT,
        "name": f"Cheap {job_id}",
        "execute_steps": ["dbt deps"],
        "run_generate_sources": False,
        "generate_docs": False,
        "settings": {"threads": 1, "target_name": "default"},
        "triggers": {},
        "job_type": "other",
    }


class Client:
    """One connection that stays open, as a client's session does."""

    def __init__(self, server: ThrowawayServer) -> None:
        context = ssl.create_default_context(cafile=server.ca_bundle)
        self.connection = http.client.HTTPSConnection("localhost", server.port, context=context)
        self.headers = {"Authorization": f"Token {server.token}"}

    def get(self, path: str) -> Any:
        return self.ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.ask("POST", path, json.dumps(body))

    def ask(self, method: str, path: str, body: str | None) -> Any:
        """The JSON of the answer; anything but a success ends the benchmark."""
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{method} {path} gave {answer.status}: {content.decode()}")
        return json.loads(content)
