"""Webhooks: subscriptions, what is sent and how it is signed, retries, deactivation, restarts."""

import re
import signal
import time

import pytest
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    THIRD_JOB,
    declare,
    job,
)
from webhook_receiver import receive

from local_dbt_cloud.testing.throwaway_server import free_port


EVERYTHING = ["job.run.started", "job.run.completed", "job.run.errored"]
QUICK = {
    "LOCAL_DBT_CLOUD_WEBHOOK_RETRY_SECONDS": "0.02",
    "LOCAL_DBT_CLOUD_WEBHOOK_FAILURES": "8",
}
JOBS = (
    job(JOB, "Build tiny", "dbt build"),
    job(OTHER_JOB, "Hold", "dbt build --select hold"),
    job(THIRD_JOB, "Fail", "dbt build --select fail"),
)


@pytest.fixture(scope="module")
def server(make_server):
    """A server that repeats deliveries at once and gives up soon."""
    server = make_server(declare(*JOBS), **QUICK).start()
    yield server
    server.stop()


@pytest.fixture
def receiver():
    """An endpoint of the test's own."""
    with receive() as receiver:
        yield receiver


@pytest.fixture
def subscribe(server, receiver):
    """Subscribe the endpoint; the subscription ends with the test."""
    made = []

    def subscribe(**body):
        made.append(new_subscription(server, receiver, **body))
        return made[-1]

    yield subscribe
    for subscription in made:
        server.request("DELETE", f"v3/webhooks/subscription/{subscription['id']}")


def new_subscription(server, receiver, **body):
    whole = {
        "name": "Test",
        "client_url": receiver.url + "/hook?x=1",
        "event_types": EVERYTHING,
        "job_ids": [],
        "active": True,
        **body,
    }
    return server.send("POST", "v3/webhooks/subscriptions", whole, 201)


def read(server, subscription, path=""):
    return server.get(f"v3/webhooks/subscription/{subscription['id']}{path}")


def wait_for(server, subscription, until):
    deadline = time.monotonic() + 120
    while not until(shown := read(server, subscription)):
        assert time.monotonic() < deadline, shown
        time.sleep(0.01)
    return shown


class TestSubscriptions:
    def test_documented_shape(self, server, subscribe):
        """Texts nearly everywhere, ids of jobs too; the secret is shown once."""
        made = subscribe(description="all of it", job_ids=[JOB])
        shown = read(server, made)

        assert made.pop("hmac_secret")
        assert shown == made
        assert list(made) == [
            "id",
            "account_identifier",
            "name",
            "description",
            "job_ids",
            "event_types",
            "client_url",
            "active",
            "created_at",
            "updated_at",
            "account_id",
            "http_status_code",
        ]
        assert re.fullmatch(r"wsu_[0-9A-Za-z]{27}", made["id"])
        assert made["job_ids"] == [str(JOB)]
        assert (made["http_status_code"], made["account_id"]) == ("0", str(ACCOUNT))
        assert re.fullmatch(r"\d{16}", made["created_at"])

    def test_envelope_is_thin(self, server, subscribe):
        """The status has a code and nothing else; lists are short unless asked otherwise."""
        subscribe()
        answer = server.request("GET", "v3/webhooks/subscriptions").json()

        assert answer["status"] == {"code": 200}
        assert answer["extra"]["filters"] == {"offset": 0, "limit": 10}
        assert answer["extra"]["pagination"] == {"total_count": 1, "count": 1}

    def test_replace_and_delete(self, server, subscribe):
        """PUT writes everything anew; what is deleted is not found."""
        made = subscribe()
        path = f"v3/webhooks/subscription/{made['id']}"
        body = {"name": "New", "client_url": "https://x.test", "event_types": EVERYTHING[:1]}
        changed = server.send("PUT", path, {**body, "active": False, "job_ids": [str(JOB)]})
        deleted = server.request("DELETE", path).json()

        assert (changed["name"], changed["active"]) == ("New", False)
        assert changed["job_ids"] == [str(JOB)]
        assert deleted == {"data": {"id": made["id"]}, "status": {"code": 200, "is_success": True}}
        assert server.request("GET", path).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": None}, "name"),
            ({"client_url": "ftp://x"}, "client_url"),
            ({"client_url": "http://x:99999"}, "client_url"),
            ({"client_url": "nowhere"}, "client_url"),
            ({"event_types": []}, "event_types"),
            ({"event_types": ["job.run.paused"]}, "event_types"),
            ({"job_ids": ["x"]}, "job_ids"),
            ({"active": "yes"}, "active"),
            ({"account_id": 1}, "account_id"),
        ],
    )
    def test_bad_body(self, server, receiver, body, field):
        """A 400 that names the field and says in a sentence what is wrong with it."""
        whole = {"name": "x", "client_url": receiver.url, "event_types": EVERYTHING, "active": True}
        answer = server.request("POST", "v3/webhooks/subscriptions", json={**whole, **body})

        assert answer.status_code == 400
        assert list(answer.json()["data"]) == [field]
        assert isinstance(answer.json()["data"][field], str)

    @pytest.mark.parametrize(
        "path", ["subscription/wsu_x", "subscription/wsu_x/events", "event/wev_x", "receipt/wre_x"]
    )
    def test_unknown(self, server, path):
        """An id that is not there is not found."""
        assert server.request("GET", f"v3/webhooks/{path}").status_code == 404


class TestDeliveries:
    def test_a_run_that_succeeds(self, server, receiver, subscribe):
        """Started, then completed; each signed with the secret over its raw body."""
        made = subscribe()
        run = server.finish(server.trigger(JOB)["id"])
        events = receiver.events(2)
        started, completed = events["job.run.started"], events["job.run.completed"]

        assert list(started) == [
            "accountId",
            "webhookId",
            "eventId",
            "timestamp",
            "eventType",
            "webhookName",
            "data",
        ]
        assert (started["accountId"], started["webhookId"]) == (ACCOUNT, made["id"])
        assert re.fullmatch(r"wev_[0-9A-Za-z]{27}", started["eventId"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", started["timestamp"])
        assert started["data"] == {
            "jobId": str(JOB),
            "jobName": "Build tiny",
            "runId": str(run["id"]),
            "environmentId": str(ENVIRONMENT),
            "environmentName": "Production",
            "dbtVersion": "1.11.0-latest",
            "projectName": "Tiny",
            "projectId": str(PROJECT),
            "runStatus": "Running",
            "runStatusCode": 3,
            "runStatusMessage": "None",
            "runReason": "a test",
            "runStartedAt": run["started_at"][:19].replace(" ", "T") + "Z",
        }
        assert (completed["data"]["runStatus"], completed["data"]["runStatusCode"]) == (
            "Success",
            10,
        )
        assert completed["data"]["runFinishedAt"] == run["finished_at"][:19].replace(" ", "T") + "Z"
        assert completed["eventId"] != started["eventId"]
        for delivery in receiver.deliveries:
            assert delivery.is_signed_with(made["hmac_secret"])
            assert delivery.path == "/hook?x=1"
            assert delivery.headers["content-type"] == "application/json"

    def test_a_run_that_fails(self, server, receiver, subscribe):
        """Errored and completed, both with the outcome and the message."""
        subscribe(event_types=["job.run.errored", "job.run.completed"])
        run = server.finish(server.trigger(THIRD_JOB)["id"])
        events = receiver.events(2)

        assert sorted(events) == ["job.run.completed", "job.run.errored"]
        for event in events.values():
            assert (event["data"]["runStatus"], event["data"]["runStatusCode"]) == ("Errored", 20)
            assert event["data"]["runStatusMessage"] == run["status_message"]
        assert "runErroredAt" in events["job.run.errored"]["data"]
        assert "runFinishedAt" not in events["job.run.errored"]["data"]
        assert "runErroredAt" not in events["job.run.completed"]["data"]

    def test_a_run_that_is_cancelled(self, server, receiver, subscribe):
        """Completed as canceled, which webhooks spell with one l."""
        subscribe(event_types=["job.run.completed"])
        run = server.trigger(OTHER_JOB)
        server.held(run["id"])
        server.send("POST", f"v2/runs/{run['id']}/cancel/")
        completed = receiver.events(1)["job.run.completed"]["data"]

        assert (completed["runStatus"], completed["runStatusCode"]) == ("Canceled", 30)
        assert completed["runStatusMessage"] == "Cancelled by user."

    def test_only_what_was_asked_for(self, server, receiver, subscribe):
        """Other jobs, other events and inactive subscriptions are left out."""
        subscribe(job_ids=[THIRD_JOB])
        subscribe(event_types=["job.run.errored"])
        subscribe(active=False)
        server.finish(server.trigger(JOB)["id"])
        subscribe(name="last", event_types=["job.run.completed"])
        server.finish(server.trigger(JOB)["id"])

        told = receiver.wait(lambda deliveries: deliveries)
        assert [delivery.content["webhookName"] for delivery in told] == ["last"]

    def test_over_tls_on_this_machine(self, server):
        """An endpoint with a certificate of the local authority is trusted."""
        with receive(server.folder / "tls") as receiver:
            made = new_subscription(server, receiver, event_types=["job.run.completed"])
            server.finish(server.trigger(JOB)["id"])
            receiver.events(1)
            server.request("DELETE", f"v3/webhooks/subscription/{made['id']}")

    def test_no_run_waits(self, server, receiver, subscribe):
        """A slow endpoint delays nothing but its own deliveries."""
        receiver.delay = 8
        subscribe()
        began = time.monotonic()
        server.finish(server.trigger(JOB)["id"])

        assert time.monotonic() - began < 8

    def test_in_order_and_once(self, server, receiver, subscribe):
        """Many runs at once: every event arrives once, each run's in their order."""
        receiver.delay = 0.005
        made = [subscribe(name=name) for name in ("one", "two")]
        runs = [server.trigger(JOB, steps_override=["dbt build"])["id"] for _ in range(5)]
        for run in runs:
            server.finish(run)
        receiver.wait(lambda deliveries: len(deliveries) == 2 * 2 * len(runs))
        time.sleep(0.1)

        for subscription in made:
            told = [
                (delivery.content["data"]["runId"], delivery.content["eventType"])
                for delivery in receiver.deliveries
                if delivery.content["webhookId"] == subscription["id"]
            ]
            assert told == [(str(run), event) for run in runs for event in EVERYTHING[:2]]

    def test_slow_endpoint_holds_up_no_other(self, server, receiver, subscribe):
        """However much a slow one still has to get, the others get theirs."""
        receiver.delay = 8
        subscribe(name="slow")
        with receive() as other:
            quick = new_subscription(server, other, event_types=["job.run.completed"])
            for _ in range(3):
                server.finish(server.trigger(JOB)["id"])
            # Behind one another they would take six times as long as the slow one takes.
            other.wait(lambda deliveries: len(deliveries) == 3, seconds=40)
            server.request("DELETE", f"v3/webhooks/subscription/{quick['id']}")


class TestFailures:
    def test_retried_with_the_same_body(self, server, receiver, subscribe):
        """Five retries at most, each of the same event, until one is answered with success."""
        receiver.answers = [500, 302, 404]
        made = subscribe(event_types=["job.run.completed"])
        server.finish(server.trigger(JOB)["id"])
        told = receiver.wait(lambda deliveries: len(deliveries) == 4)
        shown = wait_for(server, made, lambda shown: shown["http_status_code"] == "200")
        event = read(server, made, "/events")[0]
        receipts = read(server, made, f"/event/{event['id']}/receipt")

        assert {delivery.body for delivery in told} == {event["payload"].encode()}
        assert [delivery.path for delivery in told] == ["/hook?x=1"] * 4
        assert shown["active"] is True
        assert event["http_status_code"] == "200"
        assert [each["http_status_code"] for each in receipts] == ["200", "404", "302", "500"]
        assert receipts[0]["response_body"] == "thanks"
        assert receipts[3]["error_info"] == "the endpoint answered 500"
        assert server.get(f"v3/webhooks/event/{event['id']}") == event
        assert server.get(f"v3/webhooks/event/{event['id']}/receipts") == receipts
        assert server.get(f"v3/webhooks/receipt/{receipts[0]['id']}") == receipts[0]

    def test_given_up_after_five_retries(self, server, receiver, subscribe):
        """Six attempts are all that an event gets."""
        receiver.answers = [500] * 6
        made = subscribe(event_types=["job.run.started"])
        server.finish(server.trigger(JOB)["id"])
        receiver.wait(lambda deliveries: len(deliveries) == 6)
        event = read(server, made, "/events")[0]
        receipts = f"/event/{event['id']}/receipt"
        wait_for(server, made, lambda _: len(read(server, made, receipts)) == 6)
        time.sleep(0.02 * 2**6)

        assert len(receiver.deliveries) == 6
        assert len(read(server, made, receipts)) == 6

    def test_deactivated_and_reactivated(self, server, subscribe):
        """After so many failures in a row nothing is sent until somebody activates it again."""
        made = subscribe(client_url=f"http://127.0.0.1:{free_port()}/")
        for _ in range(2):
            server.finish(server.trigger(JOB)["id"])
        shown = wait_for(server, made, lambda shown: not shown["active"])
        before = server.request("GET", f"v3/webhooks/subscription/{made['id']}/events").json()
        server.finish(server.trigger(JOB)["id"])
        after = server.request("GET", f"v3/webhooks/subscription/{made['id']}/events").json()
        body = {"name": "x", "client_url": shown["client_url"], "event_types": EVERYTHING}
        again = server.send(
            "PUT", f"v3/webhooks/subscription/{made['id']}", {**body, "active": True}
        )

        assert shown["deactivate_reason"] == "8 consecutive failed deliveries"
        assert shown["http_status_code"] == "0"
        assert before["extra"]["pagination"] == after["extra"]["pagination"]
        assert again["active"] is True
        assert "deactivate_reason" not in again

    def test_unanswered(self, server, subscribe):
        """A receipt says what kept the request from being answered."""
        made = subscribe(client_url=f"http://127.0.0.1:{free_port()}/", active=True)
        tested = read(server, made, "/test")
        receipt = read(server, made, f"/event/{tested['event_id']}/receipt")[0]

        assert tested["verification_status_code"] == "0"
        assert "Connection refused" in tested["verification_error"]
        assert receipt["error_info"] == tested["verification_error"]


class TestTheTest:
    def test_sends_a_sample(self, server, receiver, subscribe):
        """One signed event about no real run, now, even to an inactive subscription."""
        made = subscribe(active=False)
        tested = read(server, made, "/test")
        sample = receiver.deliveries[0]

        assert tested["verification_error"] is None
        assert tested["verification_status_code"] == "200"
        assert sample.content["eventId"] == tested["event_id"]
        assert sample.content["data"]["runId"] == "0"
        assert sample.is_signed_with(made["hmac_secret"])


class TestRestart:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_nothing_is_lost(self, make_server, number):
        """What could not be sent before the server ended is sent by the next one, once."""
        server = make_server(declare(*JOBS), LOCAL_DBT_CLOUD_WEBHOOK_RETRY_SECONDS="5").start()
        with receive() as receiver:
            receiver.answers = [503] * 2
            made = new_subscription(server, receiver)
            run = server.trigger(JOB)["id"]
            receiver.wait(lambda deliveries: len(deliveries) == 2)
            server.finish(run)
            server.stop(number)
            server.start()
            told = receiver.wait(lambda deliveries: len(deliveries) == 4)[2:]
            wait_for(server, made, lambda shown: shown["http_status_code"] == "200")
            events = read(server, made, "/events")
        server.stop()

        assert sorted(delivery.content["eventType"] for delivery in told) == [
            "job.run.completed",
            "job.run.started",
        ]
        assert {delivery.content["eventId"] for delivery in told} == {
            event["id"] for event in events
        }

    def test_runs_that_a_dead_server_left(self, make_server):
        """A run that died with its server is told as errored by the next one."""
        server = make_server(declare(*JOBS)).start()
        with receive() as receiver:
            new_subscription(server, receiver, event_types=["job.run.errored"])
            server.held(server.trigger(OTHER_JOB)["id"])
            server.stop(signal.SIGKILL)
            server.start()
            errored = receiver.events(1)["job.run.errored"]["data"]
        server.stop()

        assert errored["runStatusMessage"] == (
            "The local dbt Cloud's server died while the run was in progress."
        )
