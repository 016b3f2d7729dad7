"""The pages for people under /deploy/."""

import re

import pytest
from server_process import ACCOUNT, JOB, OTHER_JOB, PROJECT


NO_TOKEN = {"Authorization": ""}


def page(server, path, **headers):
    return server.client.get(path, headers={**NO_TOKEN, **headers})


@pytest.fixture(scope="module")
def run(server):
    """A finished run whose cause tries to be HTML."""
    return server.finish(server.trigger(cause="<script>alert(1)</script>")["id"])


class TestRunPage:
    def test_tells_what_happened(self, server, run):
        """Without a token: status, cause, steps with logs, results per node, artifacts."""
        answer = page(server, run["href"].removeprefix(server.url))

        assert answer.status_code == 200
        for text in (
            "Success",
            "Build tiny",
            "4. Invoke dbt with `dbt build`",
            "Running with dbt=stand-in",
            "<td>model</td>",
            'href="artifacts/manifest.json"',
        ):
            assert text in answer.text

    def test_escapes_and_loads_nothing(self, server, run):
        """What a client sent is text, and the page asks no other host for anything."""
        answer = page(server, run["href"].removeprefix(server.url))

        assert "&lt;script&gt;alert(1)" in answer.text
        assert "<script" not in answer.text
        assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_refreshes_while_the_run_goes_on(self, server, run):
        """Only an unfinished run reloads its page."""
        running = server.trigger(OTHER_JOB)
        server.held(running["id"])
        going_on = page(server, running["href"].removeprefix(server.url)).text
        server.request("POST", f"v2/runs/{running['id']}/cancel/")

        assert 'http-equiv="refresh"' in going_on
        assert "Running" in going_on
        assert 'http-equiv="refresh"' not in page(server, run["href"]).text

    def test_serves_artifacts(self, server, run):
        """The links on the page lead to the files."""
        answer = page(server, f"{run['href']}artifacts/run_results.json")

        assert answer.json()["results"][0]["unique_id"] == "model.tiny.one"
        assert page(server, f"{run['href']}artifacts/..%2F..%2Fprofiles.yml").status_code == 404


def test_job_page(server, run):
    """A job's page lists its runs with links."""
    answer = page(server, f"/deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{JOB}")

    assert answer.status_code == 200
    assert f"/runs/{run['id']}/" in answer.text
    assert "<code>dbt build</code>" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"/deploy/{ACCOUNT}/projects/{PROJECT}/runs/1/",
        f"/deploy/{ACCOUNT}/projects/1/jobs/{JOB}",
        f"/deploy/1/projects/{PROJECT}/jobs/{JOB}",
        "/deploy/nothing",
    ],
)
def test_unknown_pages(server, path):
    """What does not exist is a 404 or, in another account, a 403."""
    assert page(server, path).status_code in {403, 404}


class TestHostNames:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "localhost.evil", ""])
    @pytest.mark.parametrize("path", ["/_local/health", "/deploy/1/projects/1/jobs/1"])
    def test_foreign_names_are_refused(self, server, path, host):
        """A web site that points its own name to this machine reads nothing."""
        assert page(server, path, Host=host).status_code == 403

    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1:8443", "local-dbt-cloud:8443", "host.docker.internal"]
    )
    def test_local_names_are_served(self, server, host):
        """Every name in the certificate is served."""
        assert page(server, "/_local/health", Host=host).status_code == 200
