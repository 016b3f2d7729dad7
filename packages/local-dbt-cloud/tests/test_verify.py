"""`verify`: two servers compared by the shapes of their answers."""

import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from server_process import REPOSITORY, SERVER_PYTHON

from local_dbt_cloud.verify.json_shapes import compare, shape_of


SECRET = "a-value-of-the-account"


class Proxy(http.server.BaseHTTPRequestHandler):
    """Stands for a real account: passes on what a local dbt Cloud answers, changed by a test."""

    protocol_version = "HTTP/1.0"
    dbt_cloud = None
    context = None
    change = staticmethod(lambda path, status, content: (status, content))
    methods = None

    def do_GET(self):
        self.methods.append(self.command)
        host = self.dbt_cloud.connection.host
        request = urllib.request.Request(f"https://{host}{self.path}")
        request.add_header("Authorization", self.headers["Authorization"])
        try:
            with urllib.request.urlopen(request, context=self.context) as answer:  # noqa: S310 - https, always
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        status, content = self.change(self.path.partition("?")[0], status, json.loads(body))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "https://evil.example/")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def verify(dbt_cloud):
    """Run the command against a server that a test has made different; answer what it said."""
    connection = dbt_cloud.connection
    job = f"/api/v2/accounts/{connection.account_id}/jobs/{connection.job_id}/run/"
    dbt_cloud.server.ask("POST", job, {"cause": SECRET})
    deadline = time.monotonic() + 120
    while dbt_cloud.runs[0].status != "success":
        assert time.monotonic() < deadline, dbt_cloud.runs
        time.sleep(0.02)
    tls = connection.ca_bundle.parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("P", (Proxy,), {}))
    handler = server.RequestHandlerClass
    handler.dbt_cloud, handler.methods = dbt_cloud, []
    handler.context = ssl.create_default_context(cafile=str(connection.ca_bundle))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(change=Proxy.change, **process_env):
        handler.change = staticmethod(change)
        url = f"https://localhost:{server.server_port}/deploy/{connection.account_id}"
        own = {
            "DBT_CLOUD_JOB_URL": f"{url}/projects/70403103900011/jobs/{connection.job_id}",
            "DBT_CLOUD_API_TOKEN": connection.token,
            "SSL_CERT_FILE": str(connection.ca_bundle),
        }
        done = subprocess.run(
            [SERVER_PYTHON, "-m", "local_dbt_cloud", "verify"],
            cwd=REPOSITORY,
            env={**os.environ, **own, **process_env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert connection.token not in done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert set(handler.methods) <= {"GET"}
        return done

    yield run
    server.shutdown()
    server.server_close()


def only(path_end, edit):
    """A change of the answers to one path."""

    def change(path, status, content):
        return edit(status, content) if path.endswith(path_end) else (status, content)

    return change


class TestCommand:
    def test_two_alike(self, verify):
        """A local dbt Cloud is like itself: exit code 0, and every call is named."""
        done = verify()

        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(
            r"^\d+ calls: \d+ alike, 0 different, \d+ not compared$", done.stdout, re.MULTILINE
        )
        assert "✓ GET /api/v2/accounts/{account}/runs/{run}/artifacts/" in done.stdout

    def test_what_differs_is_named(self, verify):
        """Keys, types, formats and status codes, each with its place; exit code 1."""

        def change(path, status, content):
            if path.endswith("/jobs/1/"):
                return 400, content
            if "used_repo_cache" in (content["data"] or {}):
                content["data"]["deprecation"] = SECRET
                content["data"]["created_at"] = "2026-01-01T00:00:00Z"
                content["data"]["status"] = str(content["data"]["status"])
                del content["data"]["used_repo_cache"]
            return status, content

        done = verify(change)

        assert done.returncode == 1, done.stdout + done.stderr
        for line in (
            "data.deprecation: not here",
            "data.used_repo_cache: only here",
            "data.created_at: a date with T and Z there, a date with a space here",
            "data.status: text there, a whole number here",
            "status 400 there, 404 here",
        ):
            assert f"      {line}\n" in done.stdout

    def test_what_may_not_be_read(self, verify):
        """A token that may not see an endpoint leaves it uncompared."""
        done = verify(only("/artifacts/", lambda _status, content: (403, content)))

        assert done.returncode == 0, done.stdout
        assert "dbt Cloud answers 403: the token may not read it" in done.stdout

    def test_no_redirect_is_followed(self, verify):
        """It would carry the token elsewhere."""
        done = verify(only("/artifacts/", lambda _status, content: (302, content)))

        assert done.returncode == 1
        assert "status 302 there, 200 here" in done.stdout

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"DBT_CLOUD_API_TOKEN": ""}, "there is no account to compare with"),
            ({"DBT_CLOUD_JOB_URL": "nonsense"}, "is not the address of a job: nonsense"),
            ({"DBT_CLOUD_HOST": "localhost:1"}, "localhost:1 does not answer"),
            ({"DBT_CLOUD_API_TOKEN": "dbtc_of-another-host"}, "does not accept the token"),
        ],
    )
    def test_what_cannot_be_compared(self, verify, settings, says):
        """What is wrong, why, what to type; exit code 2 and no traceback."""
        done = verify(**settings)

        assert done.returncode == 2
        assert says in done.stderr
        assert "→ " in done.stderr
        assert "Traceback" not in done.stderr


class TestShapes:
    @pytest.mark.parametrize(
        ("there", "here", "differences"),
        [
            ({"a": 1}, {"a": 2}, []),
            ({"a": None}, {"a": "text"}, []),
            ({"a": ""}, {"a": {"b": 1}}, []),
            ({"a": []}, {"a": [{"b": 1}]}, []),
            ({"a": None}, {"a": {"b": 1}}, []),
            ({"a": 1}, {}, ["a: not here"]),
            ({}, {"a": 1}, ["a: only here"]),
            ({"a": {"b": 1}}, {"a": {"c": 1}}, ["a.b: not here", "a.c: only here"]),
            ({"a": [{"b": 1}, {"c": 1}]}, {"a": [{"b": 1}]}, ["a[].c: not here"]),
            ({"a": [1]}, {"a": ["x"]}, ["a[]: a whole number there, text here"]),
            ({"a": True}, {"a": 1}, ["a: true or false there, a whole number here"]),
            ({"a": 1.5}, {"a": "1.5"}, ["a: a number there, text here"]),
            (
                {"a": "2021-11-26 16:48:41.431645+00:00"},
                {"a": "2021-11-26T16:48:41.431645Z"},
                ["a: a date with a space there, a date with T and Z here"],
            ),
            ({"a": "00:01:50"}, {"a": "110"}, ["a: a clock duration there, text here"]),
            ({"a": "https://a.example/"}, {"a": "https://b.example/"}, []),
            ({"details": {"host": 1}}, {"details": {"hostname": 1}}, []),
            ({"variables": {"SECRET_NAME": {}}}, {"variables": {}}, []),
        ],
    )
    def test_compare(self, there, here, differences):
        """Only what both sides show can differ; names that somebody chose are no keys."""
        assert compare(shape_of(there), shape_of(here)) == differences
