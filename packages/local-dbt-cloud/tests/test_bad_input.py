"""Whatever a client sends: dbt Cloud's envelope, never a traceback, and no harm done."""

import json
import re
import socket
import ssl
import time

import httpx
import pytest
from server_process import REPOSITORY


STATUS_KEYS = ["code", "is_success", "user_message", "developer_message"]
HUGE = 10**30
BEYOND_64_BITS = 2**63


@pytest.fixture
def account(dbt_cloud):
    return f"/api/v2/accounts/{dbt_cloud.connection.account_id}"


@pytest.fixture
def job(account, dbt_cloud):
    return f"{account}/jobs/{dbt_cloud.connection.job_id}"


@pytest.fixture
def ask(dbt_cloud):
    """Send a request with the token; whatever comes back must be fit for a client."""
    connection, before = dbt_cloud.connection, len(dbt_cloud.server.log)
    with httpx.Client(
        base_url=f"https://{connection.host}",
        verify=ssl.create_default_context(cafile=str(connection.ca_bundle)),
        headers={"Authorization": f"Token {connection.token}"},
        timeout=60,
    ) as client:

        def ask(method, path, **options):
            answer = client.request(method, path, **options)
            assert_fit_for_a_client(answer)
            return answer

        yield ask
    log = dbt_cloud.server.log[before:]
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :][:3000]


def assert_fit_for_a_client(answer):
    """An envelope whose code is the answer's; the plain form for a method that is not allowed."""
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    content = answer.json()
    if answer.status_code == 405:
        assert list(content) == ["detail"]
        return
    assert list(content["status"]) == STATUS_KEYS
    assert content["status"]["is_success"] is (answer.status_code < 400)
    assert "data" in content
    if answer.status_code >= 400:
        assert content["status"]["code"] == answer.status_code


class Raw:
    """Sends bytes that no HTTP library would."""

    def __init__(self, connection):
        self.host, _, port = connection.host.partition(":")
        self.port, self.token = int(port), connection.token
        self.context = ssl.create_default_context(cafile=str(connection.ca_bundle))

    def send(self, line, *headers, body=b""):
        """The status of the answer, and the first bytes of its body."""
        lines = [line, b"Host: localhost", b"Connection: close"]
        lines += [b"Authorization: Token " + self.token.encode(), *headers]
        with (
            socket.create_connection((self.host, self.port), timeout=60) as plain,
            self.context.wrap_socket(plain, server_hostname=self.host) as tls,
        ):
            tls.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            answer = b""
            while part := tls.recv(65536):
                answer += part
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), content[:200]


@pytest.fixture
def raw(dbt_cloud):
    return Raw(dbt_cloud.connection)


class TestQuery:
    @pytest.mark.parametrize(
        "query",
        [
            {"limit": HUGE},
            {"limit": BEYOND_64_BITS},
            {"limit": -1},
            {"limit": 0},
            {"limit": "many"},
            {"limit": "1.5"},
            {"limit": "\0"},
            {"offset": -1},
            {"offset": HUGE},
            {"offset": "NaN"},
            {"order_by": "id; drop table runs"},
            {"order_by": "no_such_column"},
            {"order_by": "--id"},
            {"status": "success"},
            {"status__in": "[[[[1]]]]"},
            {"status__in": f"[{HUGE}]"},
            {"id__gt": -HUGE},
            {"created_at__range": "yesterday,today"},
            {"created_at__range": "2026-01-01"},
            {"created_at__range": "2026-01-01,2026-01-02,2026-01-03"},
            {"created_at__range": "0001-01-01T00:00:00+23:59,9999-12-31T23:59:59-23:59"},
            {"has_docs_generated": "perhaps"},
            {"dbt_version": "a\0b"},
        ],
    )
    def test_refused(self, ask, account, query):
        """A 400 that names the parameter."""
        answer = ask("GET", f"{account}/runs/", params=query)

        assert answer.status_code == 400
        assert list(answer.json()["data"]) == list(query)

    @pytest.mark.parametrize(
        ("query", "echoed"),
        [
            ({"limit": 1_000_000}, {"limit": 100}),
            ({"offset": BEYOND_64_BITS - 1}, {"offset": BEYOND_64_BITS - 1}),
            ({"dbt_version": "' or 1=1 --"}, {"dbt_version": "' or 1=1 --"}),
            ({"project_id__in": ",".join(["1"] * 5000)}, {}),
            ({"include_related": "../../etc/passwd,[[,'"}, {}),
            ({"no_such_parameter": "x" * 5000}, {}),
            ({"__class__": "x", "": ""}, {}),
        ],
    )
    def test_taken_as_it_is(self, ask, account, query, echoed):
        """Odd but not wrong: an empty page, and the filters that count."""
        answer = ask("GET", f"{account}/runs/", params=query)

        assert (answer.status_code, answer.json()["data"]) == (200, [])
        assert echoed.items() <= answer.json()["extra"]["filters"].items()

    @pytest.mark.parametrize(
        "name", ["%", "_", "'; drop table jobs; --", "\\", "\u202e", "🛢", "build"]
    )
    def test_names_are_texts(self, ask, account, name):
        """Nothing in a name is a pattern or SQL."""
        answer = ask("GET", f"{account}/jobs/", params={"name__icontains": name})

        found = [each["name"] for each in answer.json()["data"]]
        jobs = ("Build flights", "Build one month")
        assert found == [each for each in jobs if name in each.lower()]
        assert ask("GET", f"{account}/jobs/").json()["data"]

    @pytest.mark.parametrize("query", ["%FF=%FF", "&&&=&==;", "limit=%ED%A0%80", "a" * 60_000])
    def test_broken_query(self, ask, account, query):
        """What is no text is no parameter."""
        assert ask("GET", f"{account}/runs/?{query}").status_code in {200, 400}


class TestPath:
    @pytest.mark.parametrize(
        "run_id",
        ["0", "-1", "1e3", "0x10", "1.0", "%00", "%20", "None", HUGE, BEYOND_64_BITS, "9" * 5000],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_ids(self, ask, account, run_id, method):
        """What is no id of a run is not found, and cancelling it does nothing."""
        path = f"{account}/runs/{run_id}/" + ("cancel/" if method == "POST" else "")

        assert ask(method, path).status_code == 404

    @pytest.mark.parametrize("account_id", ["0", "1", "-1", HUGE, "x", "%00"])
    @pytest.mark.parametrize("rest", ["", "jobs/", "runs/1/", "runs/1/artifacts/x", "jobs/1/run/"])
    def test_accounts_of_others(self, ask, account_id, rest):
        """Refused before anything is looked up."""
        method = "POST" if rest.endswith("run/") else "GET"

        body = {"json": {"cause": "x"}} if method == "POST" else {}
        answer = ask(method, f"/api/v2/accounts/{account_id}/{rest}", **body)

        assert answer.status_code in {403, 404}

    @pytest.mark.parametrize(
        "path",
        [
            "../../state/dbt_cloud.sqlite",
            "..%2F..%2Fprofiles%2Fprofiles.yml",
            "%2e%2e/%2e%2e/%2e%2e/tls/ca.key",
            "....//....//tls/ca.key",
            "%2Fetc%2Fpasswd",
            "//etc/passwd",
            "run_results.json%00.txt",
            "run_results.json/../../1/x",
            "C:\\windows\\win.ini",
            "%ED%A0%80",
            "%FF%FE",
            "a" * 300,
            "a/" * 3000,
            "~/.ssh/id_rsa",
            "$(id)",
            ".",
        ],
    )
    def test_artifacts(self, ask, account, job, dbt_cloud, path):
        """A path is a name below the artifacts, or nothing."""
        run_id = ask("POST", f"{job}/run/", json={"cause": "x"}).json()["data"]["id"]
        answer = ask("GET", f"{account}/runs/{run_id}/artifacts/{path}", params={"step": 4})

        # `..` and `.` are resolved by the client before they are sent.
        assert answer.status_code in (
            {404} if ".." not in path and path != "." else {200, 404, 501}
        )
        assert "PRIVATE KEY" not in answer.text

    @pytest.mark.parametrize("step", ["-1", "0", HUGE, "x", "1;2"])
    def test_steps(self, ask, account, job, step):
        """A step that cannot be is a 400 or not found."""
        run_id = ask("POST", f"{job}/run/", json={"cause": "x"}).json()["data"]["id"]
        path = f"{account}/runs/{run_id}/artifacts/run_results.json"

        assert ask("GET", path, params={"step": step}).status_code in {400, 404}

    @pytest.mark.parametrize(
        "path",
        ["/api/", "/api/v2/", "/api/v9/x", "/api/v2/%FF", "/api/v2/\r\nX: y", "/api/%2e%2e/"],
    )
    def test_unknown(self, ask, path):
        """Names itself, whatever is in the name."""
        assert ask("GET", path.replace("\r\n", "%0D%0A")).status_code == 501


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            b"null",
            b"0",
            b'"text"',
            b"\xff",
            b'{"cause": "\xff"}',
            b'{"cause": 1e999}',
            b'{"cause": NaN}',
            b'{"cause": "\\ud800"}',
            b'{"cause": "a\\u0000b"}',
            b'{"cause": ["x"]}',
            b'{"cause": {"a": 1}}',
            b'{"cause": "x", "steps_override": {"a": 1}}',
            b'{"cause": "x", "steps_override": ["dbt build", 7]}',
            b'{"cause": "x", "steps_override": ["dbt build \\u0000"]}',
            b'{"cause": "x", "threads_override": 1e400}',
            b'{"cause": "x", "threads_override": true}',
            b'{"cause": "x", "timeout_seconds_override": -1}',
            b'{"cause": "x", "generate_docs_override": "yes"}',
            b'{"cause": "x", "dbt_version_override": "\\u0000"}',
            b'{"cause": "x", "schema_override": "a; drop schema public"}',
            b'{"cause": "x", "git_branch": "--upload-pack=id"}',
            b'{"cause": "x", "git_branch": "main:models"}',
            b'{"cause": "x", "git_sha": "HEAD^{/secret}"}',
            b'{"cause": "x", "github_pull_request_id": ' + b"9" * 5000 + b"}",
            b'{"cause": "x", "a": ' + b"[" * 200_000 + b"}",
            b'{"cause": "x", "a": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
            b"[" * 100_000 + b"]" * 100_000,
            b'{"cause": "' + b"x" * 10_000_000 + b'"}',
            b"x=1&y=2",
            b"--x\r\nContent-Disposition: form-data; name=cause\r\n\r\nx\r\n--x--\r\n",
            b"\x1f\x8b\x08\x00",
        ],
        ids=lambda body: repr(body[:40]),
    )
    def test_refused(self, ask, job, dbt_cloud, body):
        """A 400 that says what is wrong, and no run."""
        answer = ask("POST", f"{job}/run/", content=body)

        assert answer.status_code == 400
        assert answer.json()["data"]
        assert dbt_cloud.runs == []

    @pytest.mark.parametrize(
        "body",
        [
            b'\xef\xbb\xbf{"cause": "x"}',
            '{"cause": "x"}'.encode("utf-16"),
            b'{"cause": "x", "cause": "y"}',
            b'{"cause": "' + b"x" * 300_000 + b'"}',
            '{"cause": "🛢 \u202e \\u202e \\n\\r\\t"}'.encode(),
            b'{"cause": "a backslash: \\\\u0000"}',
            b'{"cause": "<script>alert(1)</script> {{ 7*7 }} ${HOME} `id`"}',
        ],
        ids=lambda body: repr(body[:40]),
    )
    def test_odd_but_right(self, ask, job, dbt_cloud, body):
        """A run, which ends well."""
        answer = ask("POST", f"{job}/run/", content=body)

        assert answer.status_code == 200
        assert answer.json()["data"]["trigger"]["cause"] == dbt_cloud.runs[0].cause

    def test_a_cause_longer_than_a_process_takes(self, fresh_server):
        """Linux refuses a variable of 128 kB; dbt gets the beginning of the cause."""
        from server_process import JOB
        from server_process import job as declare_job

        server = fresh_server(declare_job(JOB, "Build", "dbt build"))
        run = server.finish(server.trigger(cause="x" * 300_000)["id"])

        assert run["status"] == 10, run["status_message"]
        assert len(run["trigger"]["cause"]) == 300_000


class TestMethods:
    @pytest.mark.parametrize("path", ["", "jobs/", "runs/", "runs"])
    def test_head(self, dbt_cloud, ask, account, path):
        """The headers of the GET, and no body."""
        connection = dbt_cloud.connection
        got = ask("GET", f"{account}/{path}")
        answer = httpx.head(
            f"https://{connection.host}{account}/{path}",
            headers={"Authorization": f"Token {connection.token}"},
            verify=ssl.create_default_context(cafile=str(connection.ca_bundle)),
        )

        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(got.content))

    def test_head_needs_the_token(self, dbt_cloud, account):
        """As the GET does."""
        connection = dbt_cloud.connection
        answer = httpx.head(
            f"https://{connection.host}{account}/",
            verify=ssl.create_default_context(cafile=str(connection.ca_bundle)),
        )

        assert answer.status_code == 401

    @pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "SEARCH"])
    def test_not_allowed(self, ask, account, method):
        """The plain 405, with the methods that are."""
        answer = ask(method, f"{account}/runs/")

        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"

    def test_no_permission_for_other_web_sites(self, ask, account):
        """A browser that asks for a page of another origin hears no."""
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = ask("OPTIONS", f"{account}/runs/", headers=headers)

        assert [name for name in answer.headers if name.startswith("access-control")] == []


class TestHttp:
    @pytest.mark.parametrize(
        "line",
        [
            b"BREW /api/v2/accounts/ HTTP/1.1",
            b"GET /api/v2/\xff\xfe HTTP/1.1",
            b"GET /api/v2/?limit=\xd9\xa1 HTTP/1.1",
            b"GET /api/v2/ HTTP/9.9",
            b"GET",
            b"\x00\x01\x02",
            b"CONNECT evil.example:443 HTTP/1.1",
        ],
    )
    def test_no_http(self, raw, line):
        """A plain 400, as a load balancer answers."""
        assert raw.send(line) == (400, b"Invalid HTTP request received.")

    @pytest.mark.parametrize(
        "header",
        [
            b"Content-Length: -1",
            b"Content-Length: many",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5",
            b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            b"X: a\x00b",
            b"no colon",
        ],
    )
    def test_broken_headers(self, raw, job, header):
        """Two readings of one request are never possible."""
        assert raw.send(f"POST {job}/run/ HTTP/1.1".encode(), header)[0] == 400

    @pytest.mark.parametrize(
        "header",
        [
            b"Host: a.example",
            b"X: " + b"a" * 30_000,
            b"Cookie: " + b"a=b; " * 2000,
            b"Expect: 100-continue",
            b"Range: bytes=0-1",
            b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13",
            b"X-Forwarded-Host: evil.example\r\nX-HTTP-Method-Override: DELETE",
            b"Content-Type: \xff\xfe",
        ],
        ids=lambda header: repr(header[:30]),
    )
    def test_odd_headers(self, raw, account, header):
        """They change nothing."""
        assert raw.send(f"GET {account}/ HTTP/1.1".encode(), header)[0] == 200

    @pytest.mark.parametrize(
        ("line", "header"),
        [
            (b"GET /api/v2/accounts/ HTTP/1.1", b"X: " + b"a" * 100_000),
            (b"GET /api/v2/accounts/ HTTP/1.1", b"\r\n".join([b"X: " + b"a" * 100] * 1000)),
            (b"GET /" + b"a" * 100_000 + b" HTTP/1.1", b"X: a"),
        ],
        ids=["a header", "headers", "a path"],
    )
    def test_a_head_that_is_too_large(self, raw, line, header):
        """It is refused before anything reads it."""
        assert raw.send(line, header) == (400, b"Invalid HTTP request received.")

    @pytest.mark.parametrize(
        "begun",
        [
            b"GET / HTTP/1.1\r\nX: ",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        ],
        ids=["a header", "a chunk's size", "a header behind the body"],
    )
    def test_what_never_ends(self, raw, begun):
        """The server hangs up instead of keeping what comes."""
        with (
            socket.create_connection((raw.host, raw.port), timeout=60) as plain,
            raw.context.wrap_socket(plain, server_hostname=raw.host) as tls,
        ):
            tls.sendall(begun)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                self.send_for_ever(tls)

    def send_for_ever(self, tls):
        for _ in range(1000):
            tls.sendall(b"a" * 10_000)
            time.sleep(0.002)

    def test_a_long_path_in_the_log(self, dbt_cloud, raw):
        """Whoever asks, with or without a token, cannot fill the log."""
        before = len(dbt_cloud.server.log)
        raw.send(b"GET /" + b"a" * 20_000 + b" HTTP/1.1")
        deadline = time.monotonic() + 60
        while "GET /" + "a" * 400 not in dbt_cloud.server.log[before:]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

        assert len(dbt_cloud.server.log) - before < 1000

    def test_a_body_that_never_ends(self, dbt_cloud, raw, job):
        """The server does not wait for a client that is gone, and makes no fuss about it."""
        before = len(dbt_cloud.server.log)
        with (
            socket.create_connection((raw.host, raw.port), timeout=60) as plain,
            raw.context.wrap_socket(plain, server_hostname=raw.host) as tls,
        ):
            head = f"POST {job}/run/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
            tls.sendall(f"{head}Authorization: Token {raw.token}\r\n\r\n{{".encode())
        deadline = time.monotonic() + 60
        while f"POST {job}/run/" not in dbt_cloud.server.log[before:]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

        assert raw.send(f"GET {job}/ HTTP/1.1".encode())[0] == 200
        assert dbt_cloud.runs == []
        assert "Traceback" not in dbt_cloud.server.log[before:]


class TestToken:
    def test_is_in_no_log(self, dbt_cloud, raw, account):
        """Not from the header, the query, the path, nor from a request that is no HTTP."""
        token = raw.token
        for line in (
            f"GET {account}/?token={token} HTTP/1.1",
            f"GET /api/v2/{token}/ HTTP/1.1",
            f"GET /{token} HTTP/1.1",
            f"BREW /{token} HTTP/1.1",
        ):
            raw.send(line.encode())
        log = dbt_cloud.server.log

        assert token not in log
        assert "/api/v2/*****/" in log

    def test_is_compared_in_constant_time(self):
        """
        Nothing in the server compares the token but `compare_digest`.

        Timing it would be a matter of luck on a busy machine; the source is certain.
        """
        folder = REPOSITORY / "packages/local-dbt-cloud/src"
        sources = {path.name: path.read_text() for path in folder.rglob("*.py")}
        comparisons = {
            name
            for name, source in sources.items()
            if re.search(r"token\w*(\.text)?\s*(==|!=|in)\s|(==|!=)\s*(self\.)?\w*token\b", source)
        }

        assert comparisons == set()
        assert "compare_digest(token.strip().encode(), self.text)" in sources["token_auth.py"]


def test_a_surprise_is_an_envelope_too(fresh_server):
    """When the server itself fails, the client gets a 500 in the envelope, the log the reason."""
    from server_process import JOB
    from server_process import job as declare_job

    server = fresh_server(declare_job(JOB, "Build", "dbt build"))
    import sqlite3

    with sqlite3.connect(server.folder / "state/dbt_cloud.sqlite") as store:
        store.execute("drop table runs")
    store.close()
    answer = server.request("GET", "v2/runs/")

    assert answer.status_code == 500
    assert json.loads(answer.text)["status"] == {
        "code": 500,
        "is_success": False,
        "user_message": "There was a server error.",
        "developer_message": "",
    }
    assert "no such table: runs" in server.log
