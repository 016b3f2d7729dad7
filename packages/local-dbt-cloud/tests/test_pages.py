"""The pages for people under /deploy/."""

import json
import re
import ssl
import time

import httpx
import pytest
from server_process import ACCOUNT, JOB, OTHER_JOB, PROJECT, REAL_DBT, TOKEN, declare, job

from local_dbt_cloud.wire.page_keys import PageKeys


JOB_PAGE = f"/deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{JOB}"
DOCUMENTATION = next(REAL_DBT.parents[1].glob("lib/python*/site-packages/dbt/task/docs/index.html"))


def link_to(server, path):
    """What `make open` and Airflow's page ask for."""
    return server.client.post("/_local/links/", json={"page": path}).json()["url"]


@pytest.fixture
def stranger(server):
    """A browser that has just been opened."""
    trusted = ssl.create_default_context(cafile=str(server.bundle))
    with httpx.Client(base_url=server.url, verify=trusted) as browser:
        yield browser


@pytest.fixture(scope="module")
def visitor(server):
    """A browser that came with a link."""
    trusted = ssl.create_default_context(cafile=str(server.bundle))
    with httpx.Client(base_url=server.url, verify=trusted, follow_redirects=True) as browser:
        browser.get(link_to(server, JOB_PAGE)).raise_for_status()
        yield browser


@pytest.fixture(scope="module")
def run(server):
    """A finished run whose cause tries to be HTML."""
    return server.finish(server.trigger(cause="<script>alert(1)</script>")["id"])


@pytest.fixture(scope="module")
def hostile(server, run):
    """Artifacts of the run that try to be pages with scripts."""
    folder = max((server.folder / f"state/runs/{run['id']}/artifacts").iterdir())
    manifest = {"nodes": {"model.tiny.two": {"description": "</script><script>alert(1)//"}}}
    (folder / "index.html").write_bytes(DOCUMENTATION.read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "catalog.json").write_text('{"nodes": {}}')
    (folder / "two.sql").write_text("<script>alert(1)</script>")
    (folder / "two.svg").write_text("<svg onload='alert(1)'/>")


class TestRunPage:
    def test_tells_what_happened(self, visitor, run):
        """Status, cause, steps with logs, results per node, artifacts."""
        answer = visitor.get(run["href"])

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

    def test_escapes_and_loads_nothing(self, visitor, run):
        """What a client sent is text, and the page asks no other host for anything."""
        answer = visitor.get(run["href"])

        assert "&lt;script&gt;alert(1)" in answer.text
        assert "<script" not in answer.text
        assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")

    def test_refreshes_while_the_run_goes_on(self, server, visitor, run):
        """Only an unfinished run reloads its page."""
        running = server.trigger(OTHER_JOB)
        server.held(running["id"])
        going_on = visitor.get(running["href"]).text
        server.request("POST", f"v2/runs/{running['id']}/cancel/")

        assert 'http-equiv="refresh"' in going_on
        assert "Running" in going_on
        assert 'http-equiv="refresh"' not in visitor.get(run["href"]).text

    def test_serves_artifacts(self, visitor, run):
        """The links on the page lead to the files."""
        answer = visitor.get(f"{run['href']}artifacts/run_results.json")

        assert answer.json()["results"][0]["unique_id"] == "model.tiny.one"
        assert visitor.get(f"{run['href']}artifacts/..%2F..%2Fprofiles.yml").status_code == 404


def test_job_page(visitor, run):
    """A job's page lists its runs with links."""
    answer = visitor.get(JOB_PAGE)

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
def test_unknown_pages(visitor, path):
    """What does not exist is a 404 or, in another account, a 403."""
    assert visitor.get(path).status_code in {403, 404}


class TestWhoMaySee:
    @pytest.mark.parametrize("place", ["", "artifacts/manifest.json", "artifacts/none", "none"])
    def test_nobody_without_a_key(self, stranger, run, place):
        """Whatever it is and whether it exists, a stranger is told how to get to this very page."""
        answer = stranger.get(run["href"] + place)

        assert answer.status_code == 401
        assert f"<pre>make open WHAT={run['href']}{place}</pre>" in answer.text
        assert "dbt build" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_link_lets_in(self, server, stranger, run):
        """It leads to its page, whose address has no key; the browser stays known."""
        page = run["href"].removeprefix(server.url)
        answer = stranger.get(link_to(server, page))

        assert (answer.status_code, answer.headers["location"]) == (303, page)
        assert stranger.get(page).status_code == 200
        assert stranger.get(JOB_PAGE).status_code == 200

    def test_cookie(self, server, stranger):
        """No script reads it, no other site sends it, no plain connection and no other path."""
        cookie = stranger.get(link_to(server, JOB_PAGE)).headers["set-cookie"]
        name, *flags = cookie.lower().split("; ")

        assert name.startswith(f"__secure-local_dbt_cloud_{server.port}=")
        assert {"httponly", "secure", "samesite=lax", "path=/deploy/"} <= set(flags)

    def test_token_is_a_key_too(self, server, run):
        """A script that has the API's token needs no link."""
        assert server.client.get(run["href"]).status_code == 200

    @pytest.mark.parametrize(
        ("purpose", "seconds_ago", "token"),
        [("link", 301, TOKEN), ("cookie", 0, TOKEN), ("link", 0, "another")],
        ids=["too old", "a cookie's", "of another token"],
    )
    def test_other_keys(self, server, stranger, purpose, seconds_ago, token):
        """A key is good for its purpose, for its time and on its server."""
        key = PageKeys(token, lambda: time.time() - seconds_ago).make(purpose)
        answer = stranger.get(JOB_PAGE, params={"key": key})

        assert answer.status_code == 401
        assert "This link is too old" in answer.text
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize("cookie", ["", "1.2", "x.", "99999999999.", "\xe9.\xe9"])
    def test_made_up_cookies(self, server, stranger, cookie):
        """They are no cookies, and no error of the server."""
        header = f"__Secure-local_dbt_cloud_{server.port}={cookie}".encode("latin-1")

        assert stranger.get(JOB_PAGE, headers={"Cookie": header}).status_code == 401

    def test_cookie_that_is_too_old(self, server, stranger):
        """After twelve hours a browser is a stranger again."""
        key = PageKeys(TOKEN, lambda: time.time() - 12 * 3600 - 1).make("cookie")
        header = f"__Secure-local_dbt_cloud_{server.port}={key}"

        assert stranger.get(JOB_PAGE, headers={"Cookie": header}).status_code == 401

    def test_link_needs_the_token(self, stranger):
        """Else everybody could ask for one."""
        assert stranger.post("/_local/links/", json={"page": JOB_PAGE}).status_code == 401

    @pytest.mark.parametrize(
        "page", ["https://evil.example/", "//evil.example/", "/api/v2/", "/deploy/\\evil", "", None]
    )
    def test_link_to_pages_only(self, server, page):
        """It cannot lead to anybody else."""
        assert server.client.post("/_local/links/", json={"page": page}).status_code == 400

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_nothing_to_forge(self, visitor, run, method):
        """Pages only read; what changes anything needs the token, which no browser has."""
        assert visitor.request(method, run["href"]).status_code == 405

    def test_by_way_of_airflow(self, make_server):
        """Where Airflow's address is known, its login is one click away, and back to the page."""
        server = make_server(
            declare(job(JOB, "Build tiny", "dbt build")),
            LOCAL_DBT_CLOUD_AIRFLOW_URL="http://localhost:8080/",
        ).start()
        answer = server.client.get(JOB_PAGE, headers={"Authorization": ""})
        server.stop()
        page = JOB_PAGE.replace("/", "%2F")

        assert f'href="http://localhost:8080/dbt-cloud/open?page={page}"' in answer.text


class TestArtifacts:
    """What is in them is not ours: a browser takes them for documents of nobody."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("two.sql", "text/plain; charset=utf-8"),
            ("two.svg", "application/octet-stream"),
            ("manifest.json", "application/json"),
        ],
    )
    def test_are_no_pages(self, visitor, run, hostile, name, kind):
        """They are shown as what they are, and are guessed to be nothing else."""
        answer = visitor.get(f"{run['href']}artifacts/{name}")

        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")

    def test_documentation_has_its_data_in_it(self, visitor, run, hostile):
        """It may fetch nothing; and no description can end the script that the data are in."""
        answer = visitor.get(f"{run['href']}artifacts/index.html")
        policy = answer.headers["content-security-policy"]

        assert policy.startswith("sandbox allow-scripts; default-src 'none'")
        assert "allow-same-origin" not in policy
        assert "connect-src" not in policy
        assert r'"description": "\u003c/script>\u003cscript>alert(1)//"' in answer.text
        assert "INLINE DATA" not in answer.text


class TestHostNames:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "localhost.evil", ""])
    @pytest.mark.parametrize("path", ["/_local/health", "/deploy/1/projects/1/jobs/1"])
    def test_foreign_names_are_refused(self, visitor, path, host):
        """A web site that points its own name to this machine reads nothing."""
        assert visitor.get(path, headers={"Host": host}).status_code == 403

    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1:8443", "local-dbt-cloud:8443", "host.docker.internal"]
    )
    def test_local_names_are_served(self, visitor, host):
        """Every name in the certificate is served."""
        assert visitor.get("/_local/health", headers={"Host": host}).status_code == 200
