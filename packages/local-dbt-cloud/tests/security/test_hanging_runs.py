"""A run that was ended leaves nothing behind: no slot taken, no program running."""

import socket
import time
from pathlib import Path

import pytest
from server_process import ENVIRONMENT, JOB, OTHER_JOB, PROJECT, THIRD_JOB, declare, job


# Its own time, and what a machine with little to spare adds.
SOON = 10


@pytest.fixture(scope="module")
def silent():
    """The port of a git server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def running(word):
    """The processes of this machine with the word in their command line."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


def wait_for(fact, seconds=SOON):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server(make_server, silent):
    """An account of two slots with a project whose repository is never fetched, and a good one."""
    team = {"project_id": PROJECT + 1, "environment_id": ENVIRONMENT + 1}
    declared = declare(
        job(JOB, "Good", "dbt build"),
        job(OTHER_JOB, "Hangs", "dbt build", **team),
        job(THIRD_JOB, "Hangs too", "dbt build", **team),
    )
    account = declared["local_dbt_cloud"]
    environment = {**account["projects"][0]["environments"][0], "id": ENVIRONMENT + 1}
    hanging = {"id": PROJECT + 1, "name": "Hanging", "repository_id": 52}
    account["projects"].append(
        {
            **hanging,
            "git_url": f"https://127.0.0.1:{silent}/team.git",
            "environments": [{**environment, "credentials_id": 42}],
        }
    )
    server = make_server(declared).start()
    yield server
    if server.process is not None:
        server.stop()


def cancel(server, runs):
    for run in runs:
        server.request("POST", f"v2/runs/{run}/cancel/").raise_for_status()


class TestGit:
    @pytest.fixture
    def hanging(self, server, silent):
        """Both slots are taken by runs whose git waits, one for the other."""
        runs = [server.trigger(each)["id"] for each in (OTHER_JOB, THIRD_JOB)]
        for run in runs:
            server.wait(run, lambda run: run["run_steps"])
        wait_for(lambda: running(f"127.0.0.1:{silent}"))
        return runs

    def test_cancelled_runs_give_their_slots_back(self, server, silent, hanging):
        """Within seconds another run has the slot; no git is left, and no half of a clone."""
        cancel(server, hanging)
        good = server.finish(server.trigger(JOB)["id"], SOON)

        assert (good["status"], good["status_message"]) == (10, None)
        assert [server.finish(run)["status"] for run in hanging] == [30, 30]
        wait_for(lambda: not running(f"127.0.0.1:{silent}"))
        wait_for(lambda: not list((server.folder / "state/repositories").iterdir()))

    def test_a_run_that_takes_too_long(self, server, silent, hanging):
        """The time limit of a run is one for its clone, too."""
        late = server.trigger(OTHER_JOB, timeout_seconds_override=1)["id"]
        cancel(server, hanging)
        ended = server.finish(late, SOON)

        assert ended["status"] == 30
        assert "exceeded the configured timeout of 1 seconds" in ended["status_message"]
        wait_for(lambda: not running(f"127.0.0.1:{silent}"))

    def test_a_server_that_is_killed(self, server, silent, hanging):
        """Its git ends, too: nobody would look after it."""
        server.stop(9)

        wait_for(lambda: not running(f"127.0.0.1:{silent}"))


def test_what_dbt_leaves_running(fresh_server, tmp_path):
    """A process that dbt has started in the background ends with the command."""
    dbt = tmp_path / "dbt"
    left = tmp_path / "left"
    dbt.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >> {left}\n")
    dbt.chmod(0o755)
    server = fresh_server(job(JOB, "Build", "dbt build"), dbt=dbt)
    run = server.finish(server.trigger()["id"])
    pids = left.read_text().split()

    assert run["status"] == 10, run["status_message"]
    assert len(pids) == 2
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
