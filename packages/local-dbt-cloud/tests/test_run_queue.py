"""Queueing, cancelling, time limits, and what survives a restart or a crash."""

import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from queue_in_process import add_run, wait
from server_process import ENVIRONMENT, JOB, OTHER_JOB, THIRD_JOB, job

from local_dbt_cloud.views.run_views import RunViews


HOLD = "dbt build --select hold"


def is_alive(process_id):
    """Whether the process exists and is no zombie, whose entry waits to be read."""
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_dead(process_id, seconds=60):
    deadline = time.monotonic() + seconds
    while is_alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(process_id)


class TestQueue:
    def test_one_run_at_a_time_per_job(self, fresh_server):
        """The second run of a job waits for the first, says so, and then starts by itself."""
        server = fresh_server(job(JOB, "Hold", HOLD))
        first, second = server.trigger(), server.trigger()
        server.held(first["id"])
        waiting = server.get(f"v2/runs/{second['id']}/")
        server.release()

        assert (waiting["status"], waiting["blocked_by"]) == (1, [first["id"]])
        assert server.finish(second["id"])["status"] == 10
        done = server.get(f"v2/runs/{second['id']}/")
        assert done["blocked_by"] == []
        assert done["dequeued_at"] >= server.get(f"v2/runs/{first['id']}/")["finished_at"]

    def test_no_more_runs_than_slots(self, fresh_server):
        """Jobs run side by side until the account's slots are taken."""
        jobs = [job(JOB, "a", HOLD), job(OTHER_JOB, "b", HOLD), job(THIRD_JOB, "c", HOLD)]
        server = fresh_server(*jobs, run_slots=2)
        runs = [server.trigger(each["linked_id"])["id"] for each in jobs]
        for run_id in runs[:2]:
            server.held(run_id)
        third = server.get(f"v2/runs/{runs[2]}/")
        server.release()

        assert (third["status"], third["blocked_by"]) == (1, runs[:2])
        assert [server.finish(run_id)["status"] for run_id in runs] == [10, 10, 10]

    def test_many_triggers_at_once(self, fresh_server):
        """Nothing is lost and nothing runs twice, whatever arrives together."""
        server = fresh_server(job(JOB, "a", "dbt build"), job(OTHER_JOB, "b", "dbt build"))
        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda n: server.trigger((JOB, OTHER_JOB)[n % 2]), range(20)))
        finished = [server.finish(run["id"]) for run in runs]

        assert len({run["id"] for run in runs}) == 20
        assert {run["status"] for run in finished} == {10}
        assert {len(run["run_steps"]) for run in finished} == {4}


class TestCancel:
    def test_queued_run(self, fresh_server):
        """A run that has not started ends at once and never starts, as recorded."""
        server = fresh_server(job(JOB, "Hold", HOLD))
        first, second = server.trigger(), server.trigger()
        server.held(first["id"])
        answer = server.request("POST", f"v2/runs/{second['id']}/cancel/")
        cancelled = answer.json()["data"]
        server.release()
        server.finish(first["id"])

        assert answer.status_code == 200
        assert (cancelled["status"], cancelled["status_message"]) == (30, "Cancelled by user.")
        assert cancelled["started_at"] is None
        assert cancelled["finished_at"] is not None
        assert cancelled["run_duration"] == "00:00:00"
        assert cancelled["finished_at_humanized"] == "0 minutes ago"
        assert (cancelled["trigger"], cancelled["job"]) == (None, None)
        assert (
            server.get(f"v2/runs/{second['id']}/", include_related="run_steps")["run_steps"] == []
        )

    def test_running_run(self, fresh_server):
        """dbt is stopped, the step ends as cancelled, and the next run of the job starts."""
        server = fresh_server(job(JOB, "Hold", HOLD))
        first, second = server.trigger(), server.trigger()
        dbt = server.held(first["id"])
        cancelled = server.request("POST", f"v2/runs/{first['id']}/cancel/").json()["data"]
        server.held(second["id"])
        after = server.get(f"v2/runs/{first['id']}/", include_related="run_steps")
        server.release()

        assert (cancelled["status"], cancelled["status_message"]) == (30, "Cancelled by user.")
        assert wait_until_dead(dbt)
        assert after["run_steps"][-1]["status_humanized"] == "Cancelled"
        assert server.finish(second["id"])["status"] == 10

    def test_dbt_that_ignores_the_signal(self, fresh_server):
        """What does not stop when asked is killed."""
        server = fresh_server(job(JOB, "Stubborn", "dbt build --select stubborn"))
        run = server.trigger()
        dbt = server.held(run["id"])
        server.request("POST", f"v2/runs/{run['id']}/cancel/")

        assert wait_until_dead(dbt)

    def test_finished_run_stays_as_it_is(self, fresh_server):
        """Cancelling what has ended answers 200 and changes nothing."""
        server = fresh_server(job(JOB, "Build", "dbt build"))
        run = server.finish(server.trigger()["id"])
        answer = server.request("POST", f"v2/runs/{run['id']}/cancel/")

        assert answer.status_code == 200
        assert answer.json()["data"]["status"] == 10
        assert answer.json()["data"]["finished_at"] == run["finished_at"]


def test_timeout(fresh_server):
    """A run over its limit is cancelled in the recorded words and cannot be retried."""
    server = fresh_server(job(JOB, "Hold", HOLD, execution={"timeout_seconds": 3600}))
    # Long enough for dbt to have begun, also on a busy machine.
    run = server.finish(server.trigger(timeout_seconds_override=5)["id"])

    assert run["status"] == 30
    assert run["status_message"] == (
        "This run timed out after running for 5 seconds, "
        "which exceeded the configured timeout of 5 seconds."
    )
    assert run["can_retry"] is False
    # At the moment the run is over, none of its steps runs, though dbt may still be stopping.
    assert run["run_steps"][-1]["status_humanized"] == "Cancelled"
    assert run["run_steps"][-1]["finished_at"] <= run["finished_at"]


def test_dbt_is_killed(fresh_server):
    """A run whose dbt somebody kills is in error for that reason, and no step of it has failed."""
    server = fresh_server(job(JOB, "Hold", HOLD))
    run = server.trigger()
    os.kill(server.held(run["id"]), signal.SIGKILL)
    ended = server.finish(run["id"])

    assert ended["status"] == 20
    assert ended["status_message"] == ("dbt was ended by SIGKILL, which this server has not sent.")
    assert ended["run_steps"][-1]["status"] == 30


class TestRestart:
    def test_state_survives(self, fresh_server):
        """Runs, steps, logs and artifacts are there after a restart, and ids go on."""
        server = fresh_server(job(JOB, "Build", "dbt build"))
        before = server.finish(server.trigger()["id"])
        account = server.get("v2/")
        code = server.stop()
        server.start()
        after = server.get(f"v2/runs/{before['id']}/", include_related="run_steps")

        assert code == 0
        assert [step["logs"] for step in after["run_steps"]] == [
            step["logs"] for step in before["run_steps"]
        ]
        assert server.get(f"v2/runs/{before['id']}/artifacts/") != []
        assert server.get("v2/")["created_at"] == account["created_at"]
        assert server.trigger()["id"] > before["id"]

    def test_sigterm_ends_runs_with_a_reason(self, fresh_server):
        """Soon, with exit code 0; dbt is gone, and the queued run goes on later."""
        server = fresh_server(job(JOB, "Hold", HOLD))
        running, queued = server.trigger(), server.trigger()
        dbt = server.held(running["id"])
        began = time.monotonic()
        code = server.stop(signal.SIGTERM)
        took = time.monotonic() - began
        # What it ran would go on for ever.
        dead = wait_until_dead(dbt)
        server.release()
        server.start()
        ended = server.get(f"v2/runs/{running['id']}/", include_related="run_steps")

        assert (code, dead) == (0, True)
        assert took < 30
        assert ended["status"] == 20
        assert ended["status_message"] == (
            "The local dbt Cloud was stopped while the run was in progress."
        )
        # The project has done nothing wrong: its step was cut short, and has not failed.
        assert ended["run_steps"][-1]["status"] == 30
        assert server.finish(queued["id"])["status"] == 10

    def test_sigkill_leaves_no_dbt_and_no_lie(self, fresh_server):
        """dbt dies with the server; the next one ends the run as an error that says why."""
        server = fresh_server(job(JOB, "Hold", HOLD))
        running, queued = server.trigger(), server.trigger()
        dbt = server.held(running["id"])
        server.stop(signal.SIGKILL)
        dead = wait_until_dead(dbt)
        server.release()
        server.start()
        ended = server.get(f"v2/runs/{running['id']}/", include_related="run_steps")

        assert dead
        assert (ended["status"], ended["is_error"]) == (20, True)
        assert ended["status_message"] == (
            "The local dbt Cloud's server died while the run was in progress."
        )
        assert ended["finished_at"] is not None
        assert {step["status"] for step in ended["run_steps"][:3]} == {10}
        assert ended["run_steps"][-1]["status"] == 30
        assert server.finish(queued["id"])["status"] == 10

    def test_jobs_follow_the_file(self, fresh_server):
        """A job that the file drops is not found any more; its runs still are."""
        server = fresh_server(job(JOB, "a", "dbt build"), job(OTHER_JOB, "b", "dbt build"))
        run = server.finish(server.trigger(OTHER_JOB)["id"])
        server.stop()
        jobs = Path(server.process_env["LOCAL_DBT_CLOUD_JOBS"])
        text = jobs.read_text()
        cut = text.index(f"  job_{OTHER_JOB}:"), text.index("local_dbt_cloud:")
        jobs.write_text(text[: cut[0]] + text[cut[1] :])
        server.start()

        assert server.request("GET", f"v2/jobs/{OTHER_JOB}/").status_code == 404
        assert [each["name"] for each in server.get("v2/jobs/")] == ["a"]
        assert server.get(f"v2/runs/{run['id']}/", include_related="job")["job"]["name"] == "b"


def test_environment_that_is_gone(fresh_server):
    """A queued run whose environment the file has dropped ends with a reason; others go on."""
    server = fresh_server(job(JOB, "Hold", HOLD))
    running, queued = server.trigger(), server.trigger()
    server.held(running["id"])
    server.stop()
    jobs = Path(server.process_env["LOCAL_DBT_CLOUD_JOBS"])
    jobs.write_text(jobs.read_text().replace(str(ENVIRONMENT), "77"))
    server.start()
    ended = server.get(f"v2/runs/{queued['id']}/", include_related="environment")

    assert (ended["status"], ended["environment"]) == (20, None)
    assert "not declared any more" in ended["status_message"]
    assert server.client.get(ended["href"]).status_code == 200
    server.release()
    assert server.finish(server.trigger()["id"])["status"] == 10


def test_250_runs_in_the_store(fresh_server):
    """Many runs are counted and paged without gaps or repetitions."""
    server = fresh_server(job(JOB, "Build", "dbt build"))
    run = server.finish(server.trigger()["id"])
    server.stop()
    fill_store(server, copies=249)
    server.start()
    pages = [
        server.request("GET", "v2/runs/", params={"offset": offset, "limit": 500}).json()
        for offset in (0, 100, 200)
    ]

    assert [page["extra"]["filters"]["limit"] for page in pages] == [100, 100, 100]
    assert [page["extra"]["pagination"]["count"] for page in pages] == [100, 100, 50]
    assert {page["extra"]["pagination"]["total_count"] for page in pages} == {250}
    ids = [each["id"] for page in pages for each in page["data"]]
    assert ids == list(range(run["id"], run["id"] + 250))


def fill_store(server, copies):
    """Repeat the one run that is there."""
    with sqlite3.connect(server.folder / "state/dbt_cloud.sqlite") as store:
        columns = [row[1] for row in store.execute("pragma table_info(runs)") if row[1] != "id"]
        names = ", ".join(columns)
        copy = f"insert into runs ({names}) select {names} from runs limit 1"  # noqa: S608 - the names come from the table itself
        for _ in range(copies):
            store.execute(copy)
    store.close()


def test_no_project_to_clone(fresh_server):
    """A run without a dbt project fails in its first step and says what is missing."""
    server = fresh_server(job(JOB, "Build", "dbt build"))
    (server.folder / "project/dbt_project.yml").unlink()
    run = server.finish(server.trigger()["id"])

    assert run["status"] == 20
    assert run["status_message"].startswith("Clone git repository: there is no dbt_project.yml")
    assert [step["status"] for step in run["run_steps"]] == [20]
    assert run["retry_not_supported_reason"] == "RETRY_NO_RUN_RESULTS"


def test_a_run_that_a_reset_has_taken(make_queue):
    """Who read it a moment before still gets an answer, not an error of the server."""
    queue = make_queue()
    run = wait(queue, add_run(queue))
    queue.store.clear()
    view = RunViews(queue.settings, queue.account, queue.store, queue).one(run)

    assert (view["id"], view["status"], view["can_retry"]) == (run.id, 10, False)
