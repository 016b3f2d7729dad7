"""
Every refusal of dbt Cloud and of the way to it, told apart.

The answers come from a server over TLS that a test scripts: an account with IP restrictions or an
unpaid plan cannot be had otherwise. What the local dbt Cloud can be told to do is tried with it,
in tests/local_airflow/test_doctor_refusals.py.
"""

import json
import socket
import sys
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from scripted_dbt_cloud import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    PROJECT,
    TOKEN,
    ScriptedDbtCloud,
    a_job,
    proxy,
)

from dbt_cloud_api.preflight.__main__ import main


STEPS = [
    *("name", "connection", "TLS", "token", "account", "project", "environment"),
    *("job", "commands", "schedule", "trigger", "clock"),
]


@pytest.fixture(scope="session")
def certificates():
    """A certificate authority of the tests."""
    return trustme.CA(organization_name="Acme Inspection")


@pytest.fixture
def dbt_cloud(certificates):
    """A dbt Cloud in which everything is as it should be, until a test says otherwise."""
    with ScriptedDbtCloud(certificates).serve() as server:
        yield server


@pytest.fixture
def process_environment(monkeypatch, certificates, tmp_path):
    """What the preflight reads: nothing but what a test sets."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "DBT_CLOUD_HOST", "DBT_CLOUD_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    bundle = tmp_path / "bundle.pem"
    certificates.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("DBT_CLOUD_API_TOKEN", TOKEN)
    monkeypatch.setattr(sys, "argv", ["preflight"])
    return monkeypatch


@pytest.fixture
def preflight(process_environment, capsys):
    """Run the preflight for a server; gives the checks by their names."""

    def run(server: ScriptedDbtCloud) -> dict[str, dict]:
        process_environment.setenv("DBT_CLOUD_JOB_URL", server.job_url)
        assert main() == 0
        printed = capsys.readouterr().out
        assert TOKEN not in printed
        return {check["name"]: check for check in json.loads(printed)}

    return run


def red(checks, name):
    """The check of this name, which must be the one that is red; later ones are skipped."""
    assert [one["name"] for one in checks.values() if one["level"] == "error"] == [name]
    check = checks[name]
    assert check["cause"]
    assert check["remedies"] or check["ask"]
    return check


class TestAHealthyAccount:
    def test_every_step_is_green(self, preflight, dbt_cloud):
        """All steps are taken, in the order in which they build on each other, and are green."""
        checks = preflight(dbt_cloud)

        assert list(checks) == STEPS
        assert {check["level"] for check in checks.values()} == {"ok"}
        assert checks["account"]["found"] == f"Acme ({ACCOUNT}), plan enterprise"
        assert checks["project"]["found"] == f"Flights ({PROJECT})"
        assert checks["environment"]["found"] == f"Production ({ENVIRONMENT})"
        assert checks["job"]["found"] == f"Nightly ({JOB}), active"
        assert checks["commands"]["found"] == "dbt build"

    def test_nothing_is_changed(self, preflight, dbt_cloud):
        """Only GET is sent, always with the token, also to the address that starts a run."""
        preflight(dbt_cloud)

        assert {request[0] for request in dbt_cloud.requests} == {"GET"}
        assert {request[2] for request in dbt_cloud.requests} == {f"Token {TOKEN}"}
        assert f"/api/v2/accounts/{ACCOUNT}/jobs/{JOB}/run/" in {r[1] for r in dbt_cloud.requests}


class TestTheWay:
    def test_unknown_name(self, preflight, dbt_cloud, monkeypatch):
        """A host without an address is a question of the host or of the network's names."""

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        check = red(preflight(dbt_cloud), "name")

        assert check["found"] == "localhost has no address"
        assert "Name or service not known" in check["cause"]

    def test_no_name_server(self, preflight, dbt_cloud, monkeypatch):
        """A name server that does not answer is told apart from a name that is not there."""

        def silent(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", silent)

        assert "no name server answers" in red(preflight(dbt_cloud), "name")["found"]

    def test_closed_port(self, preflight, dbt_cloud):
        """A port on which nobody listens is a connection that was refused."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            dbt_cloud.port = unused.getsockname()[1]
            check = red(preflight(dbt_cloud), "connection")

        assert "Connection refused" in check["cause"]
        assert check["ask"] == "whoever runs your network"

    def test_skipped_steps_are_named(self, preflight, dbt_cloud):
        """What builds on a step that failed is shown as not checked, never as green."""
        dbt_cloud.port = 1
        checks = preflight(dbt_cloud)

        assert {checks[name]["level"] for name in STEPS[2:]} == {"skipped"}


class TestTls:
    def test_private_authority_is_named(self, preflight, dbt_cloud, process_environment, tmp_path):
        """A certificate of a company's own authority: its name, and the setting that trusts it."""
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        process_environment.setenv("REQUESTS_CA_BUNDLE", str(other))
        check = red(preflight(dbt_cloud), "TLS")

        assert "Acme Inspection" in check["found"]
        assert any("EXTRA_CA_FILE=" in remedy for remedy in check["remedies"])

    @pytest.mark.parametrize(
        ("days", "word"), [((-30, -1), "no longer valid"), ((1, 30), "not yet valid")]
    )
    def test_certificate_out_of_its_time(self, preflight, certificates, days, word):
        """An expired certificate, and one that is not valid yet, point to the clock as well."""
        first, last = (datetime.now(UTC) + timedelta(days=day) for day in days)
        leaf = certificates.issue_cert("localhost", not_before=first, not_after=last)
        with ScriptedDbtCloud(certificates, certificate=leaf).serve() as server:
            check = red(preflight(server), "TLS")

        assert word in check["found"]
        assert "clock" in check["cause"]

    def test_certificate_of_another_host(self, preflight, certificates):
        """A certificate for another name is not taken for a missing authority."""
        leaf = certificates.issue_cert("elsewhere.example.com")
        with ScriptedDbtCloud(certificates, certificate=leaf).serve() as server:
            check = red(preflight(server), "TLS")

        assert "for another host" in check["found"]
        assert "'localhost'" in check["cause"]

    def test_server_without_tls(self, preflight, dbt_cloud):
        """A plain HTTP server is called one."""
        with proxy("400 Bad Request") as (port, _):
            dbt_cloud.port = port
            check = red(preflight(dbt_cloud), "TLS")

        assert "does not speak TLS" in check["found"]

    def test_bundle_that_is_not_there(self, preflight, dbt_cloud, process_environment):
        """A CA file that does not exist is named with its variable, before anything is sent."""
        process_environment.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
        check = red(preflight(dbt_cloud), "TLS")

        assert (
            check["found"]
            == "REQUESTS_CA_BUNDLE names a file that is not there: /nowhere/bundle.pem"
        )
        assert dbt_cloud.requests == []


class TestProxy:
    def test_goes_through_it(self, preflight, dbt_cloud, process_environment):
        """HTTPS_PROXY is used, with the login in it, and said."""
        with proxy() as (port, asked):
            process_environment.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
            checks = preflight(dbt_cloud)

        assert {check["level"] for check in checks.values()} == {"ok"}
        assert checks["connection"]["found"].endswith("through the proxy 127.0.0.1")
        assert asked[0] == f"CONNECT localhost:{dbt_cloud.port} HTTP/1.1"
        assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in asked

    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
    def test_socks_proxy_is_refused(self, preflight, dbt_cloud, process_environment, variable):
        """A SOCKS proxy, which a part of Airflow cannot use, is named, with the one that can."""
        process_environment.setenv(variable, "socks5://127.0.0.1:9")
        check = red(preflight(dbt_cloud), "proxy")

        assert "SOCKS" in check["found"]
        assert "http://" in check["remedies"][0]

    def test_no_proxy_goes_around_it(self, preflight, dbt_cloud, process_environment):
        """A host in NO_PROXY is reached directly."""
        with proxy() as (port, asked):
            process_environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            process_environment.setenv("NO_PROXY", "localhost")
            checks = preflight(dbt_cloud)

        assert asked == []
        assert checks["trigger"]["level"] == "ok"

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            ("407 Proxy Authentication Required", "wants a login"),
            ("403 Forbidden", "does not let this machine reach"),
            ("502 Bad Gateway", "does not open the way"),
        ],
    )
    def test_refusals(self, preflight, dbt_cloud, process_environment, status, words):
        """What the proxy refuses is told apart from what dbt Cloud refuses."""
        with proxy(status) as (port, _):
            process_environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            check = red(preflight(dbt_cloud), "proxy")

        assert words in check["found"]
        assert status in check["cause"]
        assert dbt_cloud.requests == []

    def test_dead_proxy(self, preflight, dbt_cloud, process_environment):
        """A proxy that does not answer is named with the variable that names it."""
        process_environment.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        check = red(preflight(dbt_cloud), "proxy")

        assert "the proxy 127.0.0.1:1 does not answer" in check["found"]
        assert "HTTPS_PROXY" in check["cause"]

    def test_no_address_of_a_proxy(self, preflight, dbt_cloud, process_environment):
        """A value that is no address is refused without a traceback."""
        process_environment.setenv("HTTPS_PROXY", "http://proxy:port")

        assert "not the address of a proxy" in red(preflight(dbt_cloud), "proxy")["found"]


class TestToken:
    def test_unknown_token(self, preflight, dbt_cloud):
        """401: the token, or the region; both are said, and who can make a new one."""
        dbt_cloud.answer("", 401, "Invalid token.")
        check = red(preflight(dbt_cloud), "token")

        assert "region" in check["cause"] + check["remedies"][0]
        assert "Job Admin" in check["ask"]

    def test_unpaid_plan(self, preflight, dbt_cloud):
        """401 of an unpaid account is a question of the plan, not of the token."""
        dbt_cloud.answer("", 401, "The API is not accessible to unpaid accounts.")
        check = red(preflight(dbt_cloud), "token")

        assert "plan" in check["found"]
        assert "token" not in check["found"]

    def test_personal_token(self, preflight, dbt_cloud, process_environment):
        """A personal token works, with a warning: it goes when its owner goes."""
        process_environment.setenv("DBT_CLOUD_API_TOKEN", "dbtu_personal")
        checks = preflight(dbt_cloud)

        assert checks["token"]["level"] == "warning"
        assert checks["trigger"]["level"] == "ok"


class TestAccount:
    def test_ip_restriction(self, preflight, dbt_cloud):
        """403 of the IP restrictions says so, in the answer that dbt documents."""
        denied = {"account_id": ACCOUNT, "is_service_token": True, "account_access_denied": True}
        dbt_cloud.answer("", 403, "Forbidden: Access denied", denied)
        check = red(preflight(dbt_cloud), "account")

        assert "network address" in check["found"]
        assert "IP restrictions" in check["cause"]

    def test_no_such_account(self, preflight, dbt_cloud):
        """404 of the account is an account that is not there, or may not be seen."""
        dbt_cloud.answer("", 404, "The requested resource was not found.")

        assert red(preflight(dbt_cloud), "account")["found"] == f"there is no account {ACCOUNT}"

    def test_locked_account(self, preflight, dbt_cloud):
        """A locked account is named with dbt Cloud's reason."""
        dbt_cloud.answer("", 200, data={"name": "Acme", "locked": True, "lock_reason": "unpaid"})
        check = red(preflight(dbt_cloud), "account")

        assert "locked" in check["found"]
        assert "unpaid" in check["cause"]


class TestJob:
    def test_no_such_job(self, preflight, dbt_cloud):
        """404 of the job names the jobs that the token sees; the project is checked anyway."""
        dbt_cloud.answer(f"jobs/{JOB}/", 404, "The requested resource was not found.")
        dbt_cloud.answer("jobs/", 200, data=[{"id": 9, "name": "Hourly"}])
        checks = preflight(dbt_cloud)

        assert "Hourly (9)" in red(checks, "job")["remedies"][0]
        assert checks["project"]["found"] == f"Flights ({PROJECT})"

    def test_permission_to_see_it(self, preflight, dbt_cloud):
        """403 of the job is the token's permission set."""
        dbt_cloud.answer(f"jobs/{JOB}/", 403, "You do not have permission.")
        check = red(preflight(dbt_cloud), "job")

        assert "too few permissions" in check["found"]
        assert "permission set" in check["ask"]

    def test_permission_to_start_it(self, preflight, dbt_cloud):
        """403 at the address that starts a run: the job is seen, but may not be started."""
        dbt_cloud.answer(f"jobs/{JOB}/run/", 403, "You do not have permission.")
        checks = preflight(dbt_cloud)

        assert checks["job"]["level"] == "ok"
        assert "Job Admin" in " ".join(red(checks, "trigger")["remedies"])

    def test_permission_unknown(self, preflight, dbt_cloud):
        """An answer that does not settle it is yellow, never green."""
        dbt_cloud.answer(f"jobs/{JOB}/run/", 200)

        assert preflight(dbt_cloud)["trigger"]["level"] == "warning"

    def test_deleted(self, preflight, dbt_cloud):
        """A deleted job is red although dbt Cloud still shows it."""
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=a_job(state=2))

        assert "is deleted" in red(preflight(dbt_cloud), "job")["found"]

    def test_switched_off(self, preflight, dbt_cloud):
        """A job that dbt Cloud has switched off is red, with the reason."""
        off = a_job(deactivated=True, deactivation_reason="too many failures")
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=off)
        check = red(preflight(dbt_cloud), "job")

        assert "too many failures" in check["cause"]

    @pytest.mark.parametrize("trigger", ["schedule", "github_webhook", "on_merge"])
    def test_would_run_twice(self, preflight, dbt_cloud, trigger):
        """A trigger of dbt Cloud's own is a warning: the job would run twice."""
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=a_job(triggers={trigger: True}))
        checks = preflight(dbt_cloud)

        assert checks["schedule"]["level"] == "warning"
        assert "twice" in checks["schedule"]["cause"]
        assert checks["trigger"]["level"] == "ok"

    def test_started_by_another_job(self, preflight, dbt_cloud):
        """A job that starts at the end of another would run twice as well."""
        after = a_job(job_completion_trigger_condition={"condition": {"job_id": 9}})
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=after)

        assert "the end of another job" in preflight(dbt_cloud)["schedule"]["found"]

    def test_no_commands(self, preflight, dbt_cloud):
        """A job without commands is red."""
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=a_job(execute_steps=[]))

        assert red(preflight(dbt_cloud), "commands")["found"] == "the job has no commands"

    def test_nothing_to_report(self, preflight, dbt_cloud):
        """Commands that build and test nothing are a warning: the report would be empty."""
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data=a_job(execute_steps=["dbt parse"]))

        assert preflight(dbt_cloud)["commands"]["level"] == "warning"

    @pytest.mark.parametrize("path", ["", f"environments/{ENVIRONMENT}/"])
    def test_project_out_of_sight(self, preflight, dbt_cloud, path):
        """A project or environment out of the token's sight is a warning: the job may still run."""
        dbt_cloud.answer(f"projects/{PROJECT}/{path}", 403, "You do not have permission.")
        checks = preflight(dbt_cloud)

        assert checks["environment" if path else "project"]["level"] == "warning"
        assert checks["trigger"]["level"] == "ok"


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("status", "words"),
        [(500, "in trouble"), (418, "answers 418")],
    )
    def test_statuses(self, preflight, dbt_cloud, status, words):
        """Trouble on dbt Cloud's side and the unheard-of are told apart."""
        dbt_cloud.answer_all(status, {"status": {"user_message": "its own words"}})

        assert words in red(preflight(dbt_cloud), "token")["found"]

    def test_page_instead_of_json(self, preflight, dbt_cloud):
        """A page of a proxy or of a single sign-on is recognised, with its title."""
        dbt_cloud.answer_all(200, "<html><title>Sign in to Acme</title></html>")
        check = red(preflight(dbt_cloud), "token")

        assert "is not dbt Cloud's API" in check["found"]
        assert "Sign in to Acme" in check["cause"]

    def test_sent_elsewhere(self, preflight, dbt_cloud):
        """A redirect to another host names it: the account has moved."""
        dbt_cloud.answer_all(301, "", Location="https://ab123.us1.dbt.com/api/")
        check = red(preflight(dbt_cloud), "token")

        assert "DBT_CLOUD_HOST=ab123.us1.dbt.com" in " ".join(check["remedies"])

    def test_the_token_stays(self, preflight, dbt_cloud, certificates):
        """Whoever is at that other address sees no request."""
        with ScriptedDbtCloud(certificates, scheme="http").serve() as elsewhere:
            dbt_cloud.answer_all(302, "", Location=f"{elsewhere.url}/api/")
            check = red(preflight(dbt_cloud), "token")

            assert elsewhere.requests == []
        assert check["found"].endswith(f"sends its callers to localhost:{elsewhere.port}")

    def test_clock(self, preflight, dbt_cloud):
        """A clock that is off by more than a minute is a warning, with the direction."""
        dbt_cloud.headers["Date"] = "Mon, 01 Jan 2001 00:00:00 GMT"
        check = preflight(dbt_cloud)["clock"]

        assert check["level"] == "warning"
        assert "ahead of dbt Cloud's" in check["found"]


class TestSettings:
    def test_contradiction(self, process_environment, capsys):
        """What .env leaves open is said before anything is asked of a server."""
        process_environment.delenv("DBT_CLOUD_JOB_URL", raising=False)
        main()
        checks = json.loads(capsys.readouterr().out)

        assert [check["name"] for check in checks] == ["settings"]
        assert "which job to run" in checks[0]["found"]
