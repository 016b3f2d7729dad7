"""One request, one answer: whatever comes back is told, and the token goes nowhere else."""

import json
import socket
import ssl
from dataclasses import replace

import pytest
import trustme
from scripted_dbt_cloud import ACCOUNT, JOB, TOKEN, ScriptedDbtCloud, envelope, proxy

from dbt_cloud_api.client import (
    DbtCloudApi,
    DbtCloudRefusedError,
    DbtCloudSilentError,
    own_words,
    send,
)


@pytest.fixture(scope="module")
def certificates():
    """A certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture
def dbt_cloud(certificates):
    """A dbt Cloud in which everything is as it should be, until a test says otherwise."""
    with ScriptedDbtCloud(certificates).serve() as server:
        yield server


@pytest.fixture
def trusted(certificates):
    """What trusts the tests' authority."""
    context = ssl.create_default_context()
    certificates.configure_trust(context)
    return context


@pytest.fixture
def api(dbt_cloud, trusted):
    """The calls, to that dbt Cloud."""
    return DbtCloudApi(f"localhost:{dbt_cloud.port}", ACCOUNT, TOKEN, trusted)


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_the_token_stays(self, api, dbt_cloud, certificates, status):
        """A redirect is refused with the address in it; whoever is there sees no request."""
        with ScriptedDbtCloud(certificates).serve() as elsewhere:
            address = f"https://localhost:{elsewhere.port}/api/v2/accounts/{ACCOUNT}/"
            dbt_cloud.answer_all(status, "", Location=address)
            with pytest.raises(DbtCloudRefusedError) as refused:
                api.account()
            with pytest.raises(DbtCloudRefusedError):
                api.trigger(JOB, "a test")

            assert elsewhere.requests == []
        assert refused.value.status == status
        assert f"it sends its callers to {address}" in refused.value.problem
        assert len(dbt_cloud.requests) == 2


class TestTexts:
    def test_one_line(self, api, dbt_cloud):
        """Whatever has a name, a status or an address has it on one line, without a terminal's."""
        evil = "a\x1b[2J\nb\r\nc\td\u2028e\u202ef\x9bg"
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data={"name": evil, "steps": [evil], "href": evil})

        text = "a b c d e\N{REPLACEMENT CHARACTER}f\N{REPLACEMENT CHARACTER}g"
        assert api.job(JOB) == {"name": text, "steps": [text], "href": text}

    def test_lines_of_dbt(self, api, dbt_cloud):
        """What dbt printed keeps its lines, and loses its colours."""
        dbt_cloud.answer("runs/7/", 200, data={"logs": "\x1b[31mone\x1b[0m\r\ntwo"})

        assert api.run(7) == {"logs": "one\ntwo"}

    def test_megabytes(self, api, dbt_cloud):
        """A name is as long as a person may read; so is a refusal."""
        dbt_cloud.answer(f"jobs/{JOB}/", 200, data={"name": "x" * 10_000_000})
        dbt_cloud.answer("", 403, "x" * 10_000_000)

        assert api.job(JOB) == {"name": f"{'x' * 2000}…"}
        with pytest.raises(DbtCloudRefusedError, match=r"x{2000}…\n"):
            api.account()


class TestAnswers:
    def test_data(self, api, dbt_cloud):
        """The account is what stands in the envelope; the token is in the header."""
        assert api.account() == {"name": "Acme", "plan": "enterprise"}
        assert dbt_cloud.requests == [("GET", f"/api/v2/accounts/{ACCOUNT}/", f"Token {TOKEN}")]

    def test_all_pages(self, api, dbt_cloud):
        """A list is read to its end, whatever page size the server prefers."""
        page = [{"id": number} for number in range(2)]
        status, body = envelope(200, data=page)
        body["extra"] = {"pagination": {"total_count": 4}}
        dbt_cloud.answers[f"/api/v3/accounts/{ACCOUNT}/projects/"] = (status, body)

        assert api.projects() == page * 2

    def test_refusal(self, api, dbt_cloud):
        """A refusal has its status, and dbt Cloud's own words."""
        dbt_cloud.answer("", 403, "You do not have permission.")

        with pytest.raises(DbtCloudRefusedError, match="refuses: 403 You do not have") as refused:
            api.account()
        assert refused.value.status == 403

    def test_wordless_refusal(self, api, dbt_cloud):
        """Where there are no words, the status has its name."""
        dbt_cloud.answer_all(502, "<html>Bad</html>")

        with pytest.raises(DbtCloudRefusedError, match="refuses: 502 Bad Gateway"):
            api.account()

    def test_page(self, api, dbt_cloud):
        """A page where JSON should be is no answer of dbt Cloud's."""
        dbt_cloud.answer_all(200, "<html>Sign in</html>")

        with pytest.raises(DbtCloudSilentError, match="an answer that is no JSON"):
            api.account()

    @pytest.mark.parametrize("content", [[], {}, {"data": None}, {"data": "x"}, 7])
    def test_what_is_not_dbt_clouds(self, api, dbt_cloud, content):
        """JSON of another shape is said to be that, and is not read on."""
        dbt_cloud.answer_all(200, content)

        for ask in (api.account, api.accounts, api.projects, lambda: api.newest_runs(JOB, 1)):
            with pytest.raises(DbtCloudSilentError, match="not one of dbt Cloud's"):
                ask()

    def test_nobody_there(self, api):
        """A port on which nobody listens is said, without a traceback."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            gone = replace(api, host=f"localhost:{unused.getsockname()[1]}")
            with pytest.raises(DbtCloudSilentError, match="Connection refused"):
                gone.account()

    def test_no_results(self, api, dbt_cloud):
        """A step that wrote no results has none; any other refusal is one."""
        assert api.run_results(1, 4) is None
        dbt_cloud.answer("runs/1/artifacts/run_results.json", 403)
        with pytest.raises(DbtCloudRefusedError):
            api.run_results(1, 4)

    def test_authority_that_is_not_trusted(self, api):
        """Whom the caller does not trust gets no token."""
        with pytest.raises(DbtCloudSilentError, match="CERTIFICATE_VERIFY_FAILED"):
            replace(api, trusted=ssl.create_default_context()).account()

    def test_every_answer_is_one(self, dbt_cloud, trusted):
        """`send` tells status, text and JSON of whatever comes back."""
        host = f"localhost:{dbt_cloud.port}"
        missing = send(host, "/nowhere", TOKEN, trusted)
        dbt_cloud.answer_all(200, "[1]")
        other = send(host, "/", TOKEN, trusted, method="DELETE")

        assert (missing.status, missing.message) == (404, "The requested resource was not found.")
        assert json.loads(missing.text) == missing.json == missing.body
        assert (other.status, other.json, other.body, other.data) == (501, None, None, None)


class TestProxies:
    def test_this_machine_is_reached_directly(self, api, monkeypatch):
        """A proxy knows nothing of a server on this machine."""
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")

        assert api.account()["name"] == "Acme"

    def test_the_network_s_proxy_is_used(self, api, monkeypatch):
        """Any other host is asked for at the proxy, which is not shown the token."""
        monkeypatch.setenv("no_proxy", "")
        with proxy("403 Forbidden") as (port, asked):
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            with pytest.raises(DbtCloudSilentError, match="403 Forbidden"):
                replace(api, host="ab123.us1.dbt.com").account()

        assert asked[0].startswith("CONNECT ab123.us1.dbt.com:443 ")
        assert TOKEN not in "".join(asked)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, ""),
        ([1], ""),
        ({"status": "down"}, ""),
        ({"detail": 'Method "GET" not allowed.'}, 'Method "GET" not allowed.'),
        ({"status": {"user_message": "No.", "developer_message": None}, "data": None}, "No."),
        ({"status": {"user_message": "No.", "developer_message": "No."}}, "No."),
        ({"status": {"user_message": "No.", "developer_message": "Because."}}, "No. Because."),
        (
            {"status": {"code": 400, "user_message": "Invalid."}, "data": {"cause": "required"}},
            "Invalid. cause: required",
        ),
        ({"status": {"code": 403, "user_message": "No."}, "data": {"account_id": 1}}, "No."),
    ],
)
def test_own_words(body, words):
    """dbt Cloud's own words, each once, wherever in its envelope they stand."""
    assert own_words(body) == words
