"""The dbt Cloud page in Airflow's menu: who may see it, and where it leads."""

import json
import os
import ssl

import httpx
import pytest
from airflow.api_fastapi.app import _AuthManagerState
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from server_process import ACCOUNT, JOB, PROJECT

from airflow_dbt_cloud.ui.account_page import app


JOB_PAGE = f"/deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{JOB}"
VARIABLE = "AIRFLOW_CONN_DBT_CLOUD_DEFAULT"


class OneDagEach(SimpleAuthManager):
    """An auth manager in which everybody may read one DAG, as Airflow lets one be."""

    def is_authorized_dag(self, *, details=None, **asked):
        return details is not None and details.id == "theirs"


@pytest.fixture
def browse(airflow_database, connected, monkeypatch):
    """Browsers of Airflow's users; its connection leads to the local dbt Cloud."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests" * 4)
    monkeypatch.setattr(_AuthManagerState, "instance", None)
    connection = json.loads(os.environ[VARIABLE]) | {"extra": {"is_local": True}}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    airflow = FastAPI()
    airflow.mount("/dbt-cloud", app)

    def make(role, manager=SimpleAuthManager):
        _AuthManagerState.instance = manager()
        token = manager().generate_jwt(SimpleAuthManagerUser(username="me", role=role))
        browser = TestClient(airflow, follow_redirects=False)
        browser.cookies.set("_token", token)
        return browser

    return make


def test_opens_pages_of_the_local_dbt_cloud(browse, connected):
    """The page's links lead to dbt Cloud's page of the run, and let the browser in there."""
    run = connected.finish(connected.trigger()["id"])
    page = browse("viewer").get("/dbt-cloud/").text
    place = run["href"].removeprefix(connected.url).replace("/", "%2F")
    assert f'href="open?page={place}"' in page

    link = browse("viewer").get(f"/dbt-cloud/open?page={place}").headers["location"]
    with httpx.Client(
        verify=ssl.create_default_context(cafile=str(connected.bundle)), follow_redirects=True
    ) as browser:
        assert browser.get(link).url == run["href"]


def test_asks_for_the_login_first(browse):
    """Who comes from dbt Cloud without a login gets Airflow's, which leads back here."""
    browser = browse("viewer")
    browser.cookies.clear()
    answer = browser.get("/dbt-cloud/open", params={"page": JOB_PAGE})

    assert answer.status_code == 303
    assert httpx.URL(answer.headers["location"]).path == "/api/v2/auth/login"
    back = httpx.URL(answer.headers["location"]).params["next"]
    assert back == f"/dbt-cloud/open?page={JOB_PAGE.replace('/', '%2F')}"


@pytest.mark.parametrize("path", ["", "open"])
def test_dbt_cloud_that_does_not_answer(browse, monkeypatch, path):
    """The page says so, and what to type."""
    connection = json.loads(os.environ[VARIABLE]) | {"host": "localhost:1"}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    answer = browse("viewer").get(f"/dbt-cloud/{path}", params={"page": JOB_PAGE})

    assert answer.status_code == 502
    assert "dbt Cloud does not answer" in answer.text
    assert "make status" in answer.text


@pytest.mark.parametrize("page", ["https://evil.example/", "//evil.example/", ""])
def test_opens_no_other_place(browse, page):
    """A link to Airflow cannot lead on to anybody else."""
    answer = browse("admin").get("/dbt-cloud/open", params={"page": page})

    assert answer.status_code == 422
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["", "open"])
@pytest.mark.parametrize("dag_id", ["theirs", "~", ""])
def test_whoever_may_read_one_dag_only(browse, path, dag_id):
    """All runs are on it: naming a DAG that one may read does not open it."""
    browser = browse("viewer", OneDagEach)
    answer = browser.get(f"/dbt-cloud/{path}", params={"page": JOB_PAGE, "dag_id": dag_id})

    assert answer.status_code == 403


@pytest.mark.parametrize(("role", "status"), [(None, 403), ("viewer", 303)])
def test_logs_are_for_roles_that_read_logs(browse, role, status):
    """Logs and artifacts are behind the link, so it asks for what a task's log asks for."""
    assert browse(role).get("/dbt-cloud/open", params={"page": JOB_PAGE}).status_code == status
