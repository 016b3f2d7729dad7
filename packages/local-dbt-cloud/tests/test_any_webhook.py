"""Whatever a run is called and an endpoint answers: the signature holds, and nothing breaks."""

import socketserver
import ssl
import threading
from datetime import UTC

import pytest
from arbitrary import TEXTS, examples
from hypothesis import example, given
from hypothesis import strategies as st
from webhook_receiver import receive

from dbt_cloud_api.run_status import FINAL, RunStatus
from local_dbt_cloud.webhooks.webhook_payload import EVENT_TYPES, Addressee, RunFacts, write_payload
from local_dbt_cloud.webhooks.webhook_request import send


NAMES = TEXTS | st.text(st.characters(exclude_categories=()))
IDS = st.integers(0, 2**63 - 1)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
FACTS = st.builds(
    RunFacts,
    job_name=NAMES,
    environment_name=NAMES,
    project_name=NAMES,
    dbt_version=NAMES,
    reason=NAMES,
    status_message=st.none() | NAMES,
    status=st.sampled_from([RunStatus.RUNNING, *FINAL]),
    started_at=MOMENTS,
    finished_at=MOMENTS,
    **dict.fromkeys(("job_id", "run_id", "environment_id", "project_id"), IDS),
)
TRUSTED = ssl.create_default_context()


@pytest.fixture(scope="module")
def receiver():
    with receive() as receiver:
        yield receiver


class Endpoint(socketserver.ThreadingTCPServer):
    """Answers every request with the bytes that it is told, and hangs up."""

    allow_reuse_address = daemon_threads = True
    answer = b""

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        def handle(self):
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            self.wfile.write(self.server.answer)


@pytest.fixture(scope="module")
def endpoint():
    with Endpoint(("127.0.0.1", 0), Endpoint.RequestHandlerClass) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@examples(0.25)
@given(FACTS, NAMES, st.sampled_from(EVENT_TYPES), st.text(st.characters(codec="utf-8")))
def test_what_is_sent_verifies(receiver, facts, name, event_type, secret):
    """Whatever a run and a webhook are called, the body arrives as it was signed, and says it."""
    body = write_payload(Addressee(1, "wsu_1", name), "wev_1", event_type, facts)
    attempt = send(receiver.url, secret, body, TRUSTED)
    delivery = receiver.deliveries.pop()

    assert attempt.succeeded
    assert delivery.is_signed_with(secret)
    assert not delivery.is_signed_with(f"{secret}.")
    data = delivery.content["data"]
    assert (delivery.content["webhookName"], data["jobName"]) == (name, facts.job_name)
    assert (data["runReason"], data["runId"]) == (facts.reason, str(facts.run_id))
    assert data["runStatusMessage"] == str(facts.status_message)


LINES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 099 x\r\n", b"HTTP/1.1 2\xb20 OK\r\n", b"ICY 200\r\n"),
        *(b"Content-Length: 5\r\n", b"Content-Length: -5\r\n", b"Content-Length: \xb2\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"\xff: \xff\r\n", b"Content-Type: \0\r\n", b" x\r\n"),
        *(
            b"\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"-1\r\n",
            b"ffffffffffffffffff\r\n",
            b"\xed\xa0\x80",
        ),
    ]
)


@examples(0.5)
@given(st.lists(LINES | st.binary(max_size=5), max_size=8).map(b"".join))
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx")
@example(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200)
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
def test_any_answer_is_an_attempt(endpoint, answer):
    """Whatever bytes come back, they are noted: a success with 2xx alone, else with a reason."""
    endpoint.answer = answer
    attempt = send(f"http://127.0.0.1:{endpoint.server_address[1]}/", "s", "{}", TRUSTED)

    assert attempt.succeeded is (attempt.error_info == "")
    assert 0 <= attempt.http_status_code < 1000
    for each in (attempt.error_info, attempt.response_body, attempt.request_headers):
        each.encode()


@given(TEXTS | st.builds("http://{}:{}/{}".format, TEXTS, TEXTS, TEXTS))
@example("http://[")
@example("http://x:99999")
@example("https://127.0.0.1:1/ü?ü")
@example(f"http://{'x' * 70}.test")
def test_any_address_is_an_attempt(url):
    """An address that leads nowhere is noted as well, without a name being looked up."""

    def nowhere(*_, **__):
        raise OSError("nobody is there")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("socket.create_connection", nowhere)
        attempt = send(url, "s", "{}", TRUSTED)

    assert attempt.error_info
    attempt.error_info.encode()
