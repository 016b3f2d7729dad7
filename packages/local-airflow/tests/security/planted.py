"""A stack with secrets in every place that can hold one, which has done what a day brings."""

import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trustme
from native_stack import Stack, wait_for
from repository_copy import copy_with_environments
from scripted_dbt_cloud import ACCOUNT, ScriptedDbtCloud, envelope

from local_airflow.stack.airflow_api import AirflowApi


def word() -> str:
    """A word that stands in no source, so that the search finds only where it has got to."""
    return f"Pl4nt{secrets.token_hex(12)}"


# By the place that each is planted in.
PLANTED = {
    "token": f"dbtc_{word()}",
    "slack token": f"{word()}/{word()}/{word()}",
    "discord token": word(),
    "telegram token": f"123456789:{word()}",
    "host of a webhook": f"{word()}.example.com".lower(),
    "header of a webhook": word(),
    "signature in a query": word(),
    "mail password": f"{word()}/a+b",
    "warehouse password": word(),
    "connection in .env": word(),
    "variable in .env": word(),
    "git token of a job": word(),
    "setting of no known name": f"ghp_{word()}",
    "proxy login": f"me:{word()}",
    "password of a connection": word(),
    "extra of a connection": word(),
    "value of a variable": word(),
    "notification in Airflow": word(),
    "token of a stranger": f"dbtc_{word()}",
    "token in an address": f"dbtc_{word()}",
}

# It says everything that a task can know, in its log, in an exception and in its result.
TALKATIVE = """
from airflow.sdk import BaseHook, Variable, dag, task


@dag(schedule=None)
def talkative():
    @task
    def say():
        for name in ("dbt_cloud_default", "planted"):
            connection = BaseHook.get_connection(name)
            print("print", connection.password, connection.get_uri(), connection.extra)
            print("headers", {"Authorization": f"Token {connection.password}"})
        print(Variable.get("api_password"))
        password = BaseHook.get_connection("dbt_cloud_default").password
        raise ValueError(f"GET https://example.com/?token={password} answered 401")

    say()


talkative()
"""


@dataclass
class Searched:
    """The stack, and what its commands printed."""

    stack: Stack
    printed: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, **more: str) -> None:
        done = self.stack.make(*arguments, **more)
        self.printed[f"make {' '.join(arguments)}"] = done.stdout + done.stderr

    def bundles(self) -> list[Path]:
        """Give the zips that `make bundle` says it has written."""
        named = re.findall(r"wrote (\S+\.zip)", "".join(self.printed.values()))
        return [self.stack.root / name for name in named]


@pytest.fixture(scope="session")
def account() -> Iterator[ScriptedDbtCloud]:
    """A dbt Cloud that knows its job and refuses to run it."""
    with ScriptedDbtCloud(trustme.CA()).serve() as served:
        served.answer("", 200, data={"id": ACCOUNT, "name": "Acme", "plan": "enterprise"})
        for what in ("jobs", "runs"):
            paging = {"filters": {"limit": 100}, "pagination": {"count": 0, "total_count": 0}}
            nothing = envelope(200, data=[])[1] | {"extra": paging}
            served.answers[f"/api/v2/accounts/{ACCOUNT}/{what}/"] = (200, nothing)
        yield served


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter, as a home is on many."""
    folder = Path(tempfile.mkdtemp(prefix="airflow-dbt-cloud-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def searched(open_folder, account) -> Iterator[Searched]:
    """Every command was called, a DAG failed, and somebody else knocked."""
    stack = Stack(open_folder, copy_with_environments(open_folder / "clone"))
    # As an editor leaves it: readable by all.
    stack.env_file.chmod(0o644)
    authority = open_folder / "authority.pem"
    account.certificates.cert_pem.write_to_path(str(authority))
    stack.write(*settings(account, authority))
    (stack.root / "dags/talkative.py").write_text(TALKATIVE)
    found = Searched(stack)
    shell = {"HTTPS_PROXY": f"http://{PLANTED['proxy login']}@127.0.0.1:9"}
    found.command("up", **shell)
    assert "login" in found.printed["make up"], found.printed
    try:
        live(found, shell)
        yield found
    finally:
        stack.make("down")
        for file in found.bundles():
            file.unlink()
        assert stack.processes() == {}


def settings(account: ScriptedDbtCloud, authority: Path) -> list[str]:
    discord = f"discord://1234567890/{PLANTED['discord token']}"
    mine = f"json://{PLANTED['host of a webhook']}/?+X-Key={PLANTED['header of a webhook']}"
    signed = f"jsons://example.com/hook?sig={PLANTED['signature in a query']}"
    addresses = [
        f"slack://{PLANTED['slack token']}",
        discord,
        f"tgram://{PLANTED['telegram token']}/42",
        mine,
        signed,
    ]
    return [
        f"DBT_CLOUD_JOB_URL={account.job_url}",
        f"DBT_CLOUD_API_TOKEN={PLANTED['token']}",
        f"DBT_CLOUD_NOTIFICATION_URLS={','.join(addresses)}",
        f"WAREHOUSE_URL=postgresql://loader:{PLANTED['warehouse password']}@127.0.0.1:9/none",
        f"EXTRA_CA_FILE={authority}",
        f"AIRFLOW__SMTP__SMTP_PASSWORD={PLANTED['mail password']}",
        f"AIRFLOW_CONN_OF_ENV=http://me:{PLANTED['connection in .env']}@example.com",
        f"AIRFLOW_VAR_ENV_PASSWORD={PLANTED['variable in .env']}",
        f"DBT_ENV_SECRET_GIT_TOKEN={PLANTED['git token of a job']}",
        f"MINE={PLANTED['setting of no known name']}",
    ]


def live(searched: Searched, shell: dict[str, str]) -> None:
    stack = searched.stack
    airflow = AirflowApi(stack.airflow_url, "admin", stack.admin_password)
    airflow.post(
        "/api/v2/connections",
        {
            "connection_id": "planted",
            "conn_type": "http",
            "host": "example.com",
            "password": PLANTED["password of a connection"],
            "extra": json.dumps({"api_key": PLANTED["extra of a connection"]}),
        },
    )
    for key, value in (
        ("api_password", PLANTED["value of a variable"]),
        ("webhook", f"https://example.com/?sig={PLANTED['notification in Airflow']}"),
    ):
        airflow.post("/api/v2/variables", {"key": key, "value": value})
    run_and_fail(airflow, "talkative")
    knock(stack)
    for command in ("run", "status", "doctor", "logs", "bundle", "jobs-plan", "dag-test"):
        searched.command(command, *(["talkative"] if command == "dag-test" else []), **shell)
    searched.command("snapshot", "planted", **shell)


def knock(stack: Stack) -> None:
    """Somebody who has no business here, with secrets that belong elsewhere."""
    address = f"{stack.airflow_url}/api/v2/dags?token={PLANTED['token in an address']}"
    headers = {"Authorization": f"Bearer {PLANTED['token of a stranger']}"}
    assert httpx.get(address, headers=headers, trust_env=False).status_code in {401, 403}


def run_and_fail(airflow: AirflowApi, dag_id: str) -> None:
    wait_for(lambda: dag_id in {each["dag_id"] for each in airflow.get("/api/v2/dags")["dags"]})
    run = airflow.post(f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
    wait_for(lambda: airflow.get(f"/api/v2/dags/{dag_id}/dagRuns/{run}")["state"] == "failed")


@pytest.fixture(scope="session")
def must_be_root() -> None:
    """Only root may become somebody else to try what another user can do."""
    if os.getuid() != 0:
        pytest.skip("only root can try what another user of the machine may do")
