"""Which role of Airflow sees which page of a plugin."""

import json

import httpx
import pytest

from local_airflow.stack.airflow_api import AirflowApi


ROLES = ("none", "viewer", "user", "op", "admin")
NO_PAGE = 404
# Logged in, as Airflow itself makes the token of a login.
MAKE_TOKENS = """
import json
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser as User

manager = create_auth_manager()
manager.init()
roles = [None if role == "none" else role for role in {roles}]
print(json.dumps([manager.generate_jwt(User(username=str(role), role=role)) for role in roles]))
"""


@pytest.fixture(scope="module")
def tokens(searched):
    program = MAKE_TOKENS.format(roles=list(ROLES))
    done = searched.stack.make("in-airflow", "python", "-c", program)
    assert done.returncode == 0, done.stderr
    return dict(zip(ROLES, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.fixture(scope="module")
def pages(searched, tokens):
    """Every page of a plugin that this Airflow has, by its address; not the plugins without one."""
    airflow = AirflowApi(searched.stack.airflow_url, "admin", searched.stack.admin_password)
    plugins = airflow.get("/api/v2/plugins", limit=200)["plugins"]
    prefixes = [app["url_prefix"] for plugin in plugins for app in plugin["fastapi_apps"]]
    addresses = [f"{searched.stack.airflow_url}{prefix}/" for prefix in prefixes]
    found = statuses(addresses, {"Authorization": f"Bearer {tokens['admin']}"})
    return [address for address, status in found.items() if status != NO_PAGE]


def statuses(pages, headers):
    return {page: httpx.get(page, headers=headers, trust_env=False).status_code for page in pages}


def test_there_are_pages(pages):
    """Else the tests below would say nothing."""
    assert {page.rsplit("/", 2)[1] for page in pages} >= {"dbt-cloud", "flight-delays"}


def test_nobody_without_a_login(pages):
    """Without a login Airflow asks for one."""
    assert set(statuses(pages, {}).values()) == {401}


def test_nobody_without_a_role(pages, tokens):
    """Who may log in and has no role sees nothing, as everywhere in Airflow."""
    headers = {"Authorization": f"Bearer {tokens['none']}"}

    assert set(statuses(pages, headers).values()) == {403}


@pytest.mark.parametrize("role", ROLES[1:])
def test_who_may_read_runs(pages, tokens, role):
    """Everybody with a role may read DAGs and their runs, and so these pages."""
    headers = {"Authorization": f"Bearer {tokens[role]}"}

    assert not {401, 403} & set(statuses(pages, headers).values())


@pytest.mark.parametrize(("role", "seen"), [("viewer", False), ("op", True)])
def test_connection_is_named_to_whoever_may_read_connections(searched, tokens, role, seen):
    """Its host and account are on the page of those who find them in Admin, Connections too."""
    headers = {"Authorization": f"Bearer {tokens[role]}"}
    page = httpx.get(f"{searched.stack.airflow_url}/dbt-cloud/", headers=headers, trust_env=False)

    assert page.status_code == 200, page.text
    assert ("connection dbt_cloud_default" in page.text) is seen


def test_pages_may_run_nothing_but_their_own_script(pages, tokens):
    """What others wrote is on them: a script in it does not run."""
    for page in pages:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        policy = httpx.get(page, headers=headers, trust_env=False).headers[
            "Content-Security-Policy"
        ]

        assert policy.startswith("default-src 'none'; script-src 'nonce-"), page


def test_settings_of_airflow_are_shown_to_nobody(searched, tokens):
    """The password of the mail server is one of them."""
    address = f"{searched.stack.airflow_url}/api/v2/config"
    headers = {"Authorization": f"Bearer {tokens['admin']}"}

    assert httpx.get(address, headers=headers, trust_env=False).status_code == 403
