"""Faults on demand, seen by clients over TLS."""

import socket
import ssl
import time

import httpx
import pytest
import requests


@pytest.fixture
def client(dbt_cloud):
    """A client of the API, and of the local controls, with the token."""
    connection = dbt_cloud.connection
    with httpx.Client(
        base_url=f"https://{connection.host}",
        verify=ssl.create_default_context(cafile=str(connection.ca_bundle)),
        headers={"Authorization": f"Token {connection.token}"},
        timeout=60,
    ) as client:
        yield client


@pytest.fixture
def account(dbt_cloud):
    return f"/api/v2/accounts/{dbt_cloud.connection.account_id}"


@pytest.fixture
def trigger(client, account, dbt_cloud):
    """Start a run of the first job."""
    path = f"{account}/jobs/{dbt_cloud.connection.job_id}/run/"
    return lambda: client.post(path, json={"cause": "a test"})


def connect(dbt_cloud):
    """A TLS connection whose TCP socket stays in reach."""
    plain = socket.create_connection(("127.0.0.1", dbt_cloud.server.port), timeout=60)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(dbt_cloud.connection.ca_bundle))
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
        else:
            plain.sendall(outgoing.read())
            return plain, tls, outgoing


def read_to_the_end(plain):
    """What the handshake still had to say may come first."""
    while plain.recv(65536):
        pass


class TestStatus:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504, 599])
    def test_envelope(self, dbt_cloud, client, account, status):
        """The status that was asked for, in dbt Cloud's envelope, marked as a fault."""
        dbt_cloud.fail_next(status)
        answer = client.get(f"{account}/")
        content = answer.json()

        assert answer.status_code == content["status"]["code"] == status
        assert content["status"]["is_success"] is False
        assert content["data"] is None
        assert answer.headers["X-Local-Dbt-Cloud"] == "fault"
        assert client.get(f"{account}/").status_code == 200

    def test_truncated(self, dbt_cloud, client, account, trigger):
        """The request is carried out, and its answer is half of the JSON that it should be."""
        dbt_cloud.fail_next("truncated", method="POST", path="*/run/")
        answer = trigger()

        assert answer.status_code == 200
        assert answer.headers["X-Local-Dbt-Cloud"] == "fault"
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            answer.json()
        assert len(dbt_cloud.runs) == 1

    def test_html(self, dbt_cloud, client, account):
        """A page in the place of JSON."""
        dbt_cloud.fail_next("html", status=504)
        answer = client.get(f"{account}/")

        assert answer.status_code == 504
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1>504 Gateway Timeout</h1>" in answer.text

    @pytest.mark.parametrize("what", ["html", 500])
    def test_carried_out_all_the_same(self, dbt_cloud, trigger, what):
        """As once recorded at dbt Cloud: an error for an answer, and yet there is a run."""
        dbt_cloud.fail_next(what, carried_out=True)

        assert trigger().status_code in {500, 502}
        assert len(dbt_cloud.runs) == 1

    def test_not_carried_out(self, dbt_cloud, trigger):
        """A request that fails has no effect unless that is asked for."""
        dbt_cloud.fail_next(503)

        assert trigger().status_code == 503
        assert dbt_cloud.runs == []


class TestWhichRequests:
    def test_times(self, dbt_cloud, client, account):
        """So many fail, and no more."""
        dbt_cloud.fail_next(503, times=3)
        answers = [client.get(f"{account}/").status_code for _ in range(5)]

        assert answers == [503, 503, 503, 200, 200]

    def test_after(self, dbt_cloud, client, account):
        """So many pass first: a token that is revoked between two requests."""
        dbt_cloud.fail_next(401, after=2, times=None)
        answers = [client.get(f"{account}/").status_code for _ in range(5)]

        assert answers == [200, 200, 401, 401, 401]

    @pytest.mark.parametrize("form", ["jobs", "jobs/"])
    @pytest.mark.parametrize("pattern", ["*/jobs", "*/jobs/"])
    def test_method_and_path(self, dbt_cloud, client, account, form, pattern):
        """Another method or path is left alone; both slash forms are one request."""
        dbt_cloud.fail_next(503, method="GET", path=pattern)
        others = [client.get(f"{account}/"), client.post(f"{account}/jobs/", json={})]

        assert 503 not in [other.status_code for other in others]
        assert client.get(f"{account}/{form}").status_code == 503

    def test_the_oldest_that_matches(self, dbt_cloud, client, account):
        """Two faults for the same request take turns in the order they were added."""
        dbt_cloud.fail_next(500)
        dbt_cloud.fail_next(502)

        assert [client.get(f"{account}/").status_code for _ in range(3)] == [500, 502, 200]

    def test_before_the_token(self, dbt_cloud, client, account):
        """A fault does not ask who comes."""
        dbt_cloud.fail_next(503)

        assert client.get(f"{account}/", headers={"Authorization": ""}).status_code == 503

    def test_controls_never_fail(self, dbt_cloud, client):
        """Whoever broke everything can still mend it."""
        dbt_cloud.fail_next("reset", times=None)
        dbt_cloud.stop_failing()

        assert client.get("/_local/faults/").json() == {"faults": []}


class TestConnection:
    @pytest.mark.parametrize("kind", ["reset", "lost_answer"])
    def test_reset_on_the_wire(self, dbt_cloud, account, kind):
        """The TCP connection is reset: no answer, no end of the encryption, no end of file."""
        dbt_cloud.fail_next(kind)
        plain, tls, outgoing = connect(dbt_cloud)
        with plain:
            tls.write(f"GET {account}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            plain.sendall(outgoing.read())
            with pytest.raises(ConnectionResetError):
                read_to_the_end(plain)

    @pytest.mark.parametrize(("kind", "runs"), [("reset", 0), ("lost_answer", 1)])
    def test_what_is_left_of_a_trigger(self, dbt_cloud, trigger, kind, runs):
        """After a lost answer there is a run, after a reset there is none."""
        dbt_cloud.fail_next(kind, method="POST", path="*/run/")
        with pytest.raises(httpx.TransportError):
            trigger()

        assert len(dbt_cloud.runs) == runs
        assert [request.status for request in dbt_cloud.requests] == [None]

    def test_only_this_connection(self, dbt_cloud, client, account):
        """The next request goes through on a new one."""
        dbt_cloud.fail_next("reset")
        with pytest.raises(httpx.TransportError):
            client.get(f"{account}/")

        assert client.get(f"{account}/").status_code == 200

    def test_requests_sees_it(self, dbt_cloud, account):
        """The library of the Airflow provider raises its connection error."""
        connection = dbt_cloud.connection
        dbt_cloud.fail_next("reset")
        with pytest.raises(requests.ConnectionError):
            requests.get(
                f"https://{connection.host}{account}/", verify=connection.ca_bundle, timeout=60
            )


class TestSlow:
    def test_answer_comes_late(self, dbt_cloud, client, account):
        """The right answer, after the time."""
        dbt_cloud.fail_next("slow", delay_seconds=0.4)
        began = time.monotonic()
        answer = client.get(f"{account}/")

        assert answer.status_code == 200
        assert time.monotonic() - began >= 0.4

    def test_carried_out_before_the_client_gives_up(self, dbt_cloud, client, account):
        """A client that waits less long has started a run all the same."""
        dbt_cloud.fail_next("slow", delay_seconds=60)
        path = f"{account}/jobs/{dbt_cloud.connection.job_id}/run/"
        # On a busy machine the way there takes its time; the run is there long before the answer.
        patience = httpx.Timeout(30, read=2)
        with pytest.raises(httpx.ReadTimeout):
            client.post(path, json={"cause": "a test"}, timeout=patience)
        deadline = time.monotonic() + 30
        while not dbt_cloud.runs and time.monotonic() < deadline:
            time.sleep(0.02)

        assert len(dbt_cloud.runs) == 1

    def test_a_late_failure(self, dbt_cloud, client, account):
        """Other faults may take their time too."""
        dbt_cloud.fail_next(504, delay_seconds=0.3)
        began = time.monotonic()

        assert client.get(f"{account}/").status_code == 504
        assert time.monotonic() - began >= 0.3


class TestRateLimit:
    def test_cool_down(self, dbt_cloud, client, account):
        """From the first request on every one is refused, until the time is over."""
        dbt_cloud.fail_next("rate_limit", cool_down_seconds=1.5)
        began = time.monotonic()
        refused = []
        while (answer := client.get(f"{account}/")).status_code == 429:
            refused.append(answer)

        assert time.monotonic() - began >= 1.5
        assert len(refused) > 1
        assert refused[0].headers["Retry-After"] == "2"
        assert refused[0].json()["status"]["user_message"] == "Too Many Requests."
        assert client.get("/_local/faults/").json() == {"faults": []}

    def test_without_retry_after(self, dbt_cloud, client, account):
        """dbt Cloud documents no such header for this API."""
        dbt_cloud.fail_next("rate_limit", retry_after=False)
        answer = client.get(f"{account}/")

        assert answer.status_code == 429
        assert "Retry-After" not in answer.headers


class TestList:
    def test_shows_what_is_left(self, dbt_cloud, client, account):
        """Hits and what is still to come; a fault that is used up is gone."""
        dbt_cloud.fail_next(503, times=2)
        client.get(f"{account}/")
        shown = client.get("/_local/faults").json()["faults"]
        client.get(f"{account}/")

        assert [(each["status"], each["hits"], each["left"]) for each in shown] == [(503, 1, 1)]
        assert client.get("/_local/faults").json() == {"faults": []}

    def test_one_is_removed(self, dbt_cloud, client, account):
        """By its id; another id is a 404."""
        dbt_cloud.fail_next(500)
        fault_id = client.get("/_local/faults").json()["faults"][0]["id"]

        assert client.delete(f"/_local/faults/{fault_id + 1}/").status_code == 404
        assert client.delete(f"/_local/faults/{fault_id}/").json() == {"faults": []}
        assert client.get(f"{account}/").status_code == 200

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"kind": "earthquake"}, "kind"),
            ({"method": "get"}, "method"),
            ({"times": 0}, "times"),
            ({"times": "2"}, "times"),
            ({"status": 200}, "status"),
            ({"delay_seconds": -1}, "delay_seconds"),
            ({"colour": "red"}, "body"),
            ({"kind": "reset", "status": 503}, "body"),
            ({"kind": "slow", "carried_out": True, "delay_seconds": 1}, "body"),
            ({"kind": "slow"}, "body"),
        ],
    )
    def test_bad_fault(self, client, body, field):
        """What is wrong is named, and nothing is added."""
        answer = client.post("/_local/faults/", json=body)

        assert (answer.status_code, list(answer.json()["data"])) == (400, [field])
        assert client.get("/_local/faults/").json() == {"faults": []}


class TestToken:
    def test_revoked_and_restored(self, dbt_cloud, client, account):
        """The API answers the recorded 401, the controls go on."""
        dbt_cloud.revoke_token()
        revoked = client.get(f"{account}/")
        dbt_cloud.restore_token()

        assert revoked.status_code == 401
        assert revoked.json()["status"]["user_message"] == "Invalid token."
        assert client.get(f"{account}/").status_code == 200


class TestProtection:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/_local/faults/"),
            ("POST", "/_local/faults/"),
            ("DELETE", "/_local/faults"),
            ("POST", "/_local/reset/"),
            ("POST", "/_local/token/restore/"),
            ("GET", "/_local/runs/"),
            ("POST", "/_local/runs/1/end"),
            ("GET", "/_local/requests/"),
            ("POST", "/_local/pace/"),
            ("GET", "/_local/jobs/"),
            ("GET", "/_local/no/such/thing"),
        ],
    )
    @pytest.mark.parametrize("header", ["", "Token wrong"])
    def test_needs_the_token(self, client, method, path, header):
        """A web site that a visitor of this machine opens cannot send the token."""
        answer = client.request(method, path, headers={"Authorization": header})

        assert answer.status_code == 401

    @pytest.mark.parametrize("path", ["/_local/health", "/_local/health/", "/_local/openapi.json"])
    def test_open_to_everybody(self, client, path):
        """Health and the OpenAPI document need no token."""
        assert client.get(path, headers={"Authorization": ""}).status_code == 200

    @pytest.mark.parametrize("path", ["/_local/health", "/_local/faults/", "/_local/openapi.json"])
    def test_not_under_a_foreign_name(self, client, path):
        """A web site that points its own name here is not served."""
        assert client.get(path, headers={"Host": "evil.example"}).status_code == 403

    def test_not_below_api(self, client, account):
        """The API has no such endpoints."""
        assert client.post(f"{account}/faults/", json={}).status_code == 501
        assert client.post("/api/_local/faults/", json={}).status_code == 501
