"""/runs/{id}/retry/: what a failed run would repeat, and repeating it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

from server_process import JOB, OTHER_JOB, THIRD_JOB, job


def retry(server, run, method="POST"):
    return server.request(method, f"v2/runs/{run['id']}/retry/")


def test_what_would_be_repeated(server):
    """The failed command and those behind it; nothing for a run that did not fail."""
    failed = server.finish(server.trigger(THIRD_JOB)["id"])
    good = server.finish(server.trigger(JOB)["id"])

    assert retry(server, failed, "GET").json()["data"] == {
        "failed_step": "dbt build --select fail",
        "skipped_steps": ["dbt test"],
    }
    assert retry(server, good, "GET").json()["data"] == {"failed_step": None, "skipped_steps": []}


def test_retry_resumes_the_run(server):
    """A new run begins with the failed command; the one before it is not repeated."""
    failed = server.finish(server.trigger(THIRD_JOB)["id"])
    answer = retry(server, failed)
    resumed = answer.json()["data"]

    assert answer.status_code == 200
    assert resumed["retrying_run_id"] == failed["id"]
    assert resumed["trigger"]["cause_category"] == "rerun"
    names = [step["name"] for step in server.finish(resumed["id"])["run_steps"]]
    assert names[3:] == ["Invoke dbt with `dbt retry`", "Invoke dbt with `dbt test`"]


def test_refused_retries(server):
    """A good run, and a failed one that is not its job's latest, are refused with the reason."""
    good = server.finish(server.trigger(JOB)["id"])
    failed = server.finish(server.trigger(THIRD_JOB)["id"])
    server.finish(server.trigger(THIRD_JOB)["id"])
    answers = [retry(server, run) for run in (good, failed)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["data"] for answer in answers] == [
        {"retry_not_supported_reason": "RETRY_NOT_FAILED_RUN"},
        {"retry_not_supported_reason": "RETRY_NOT_LATEST_RUN"},
    ]
    assert answers[0].json()["status"]["is_success"] is False


def test_retries_at_once(server):
    """However many ask in the same moment, the failed run is resumed once."""
    failed = server.finish(server.trigger(THIRD_JOB)["id"])
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: retry(server, failed), range(10)))

    resumed = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert [run["retrying_run_id"] for run in resumed] == [failed["id"]]
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 9]
    server.finish(resumed[0]["id"])


def test_unknown_run(server):
    """A run that is not there is 404 in both methods."""
    assert [retry(server, {"id": 7}, method).status_code for method in ("GET", "POST")] == [
        404,
        404,
    ]


def test_state_of_an_older_version(fresh_server):
    """A store without today's columns and indexes is brought up to date, with all its runs."""
    server = fresh_server(job(JOB, "Build", "dbt build"), job(OTHER_JOB, "Other", "dbt build"))
    before = server.finish(server.trigger()["id"])
    server.stop()
    store = sqlite3.connect(server.folder / "state/dbt_cloud.sqlite")
    store.execute("drop index runs_by_tick")
    for column in ("scheduled_for", "deferring_run_id"):
        store.execute(f"alter table runs drop column {column}")
    store.close()
    server.start()
    after = server.get(f"v2/runs/{before['id']}/")

    assert (after["status"], after["deferring_run_id"]) == (10, None)
    assert server.finish(server.trigger()["id"])["status"] == 10
    store = sqlite3.connect(server.folder / "state/dbt_cloud.sqlite")
    indexes = {row[0] for row in store.execute("select name from sqlite_master")}
    store.close()
    assert "runs_by_tick" in indexes
