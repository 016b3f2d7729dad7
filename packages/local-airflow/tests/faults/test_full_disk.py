"""Logs, PostgreSQL and artifacts on small disks of their own, each filled to the last byte."""

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from native_stack import Stack, wait_for
from repository_copy import copy_with_environments

from dbt_cloud_api.user_error import UserError
from local_airflow.running.dag_run import trigger
from local_airflow.stack.airflow_api import AirflowApi


# In MB: what each takes at first, and some more than what counts as full.
SMALL_DISKS = {"logs": 200, "postgres": 500, "dbt_cloud/runs": 200}
SECONDS_OF_WORK = 15
MUCH = "create table much as select g, repeat(md5(g::text), 20) from generate_series(1, 900000) g"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A running stack of which three folders are disks that are small."""
    folder = tmp_path_factory.mktemp("full_disk")
    stack, mounted = Stack(folder, copy_with_environments(folder / "clone")), []
    try:
        for name, megabytes in SMALL_DISKS.items():
            disk = stack.state / name
            disk.mkdir(parents=True)
            size = f"size={megabytes}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", disk], check=True)
            mounted.append(disk)
        up = stack.make("up")
        assert up.returncode == 0, up.stdout + up.stderr
        yield stack
    finally:
        stack.make("down")
        for disk in mounted:
            subprocess.run(["umount", disk], check=True)


@pytest.fixture
def full(stack):
    """Fill a folder's disk; it has room again afterwards, at the latest."""
    fillers = []

    def fill(name):
        fillers.append(stack.state / name / "filler")
        with (
            Path("/dev/zero").open("rb") as zeros,
            fillers[0].open("ab", buffering=0) as filler,
            pytest.raises(OSError, match="No space"),
        ):
            shutil.copyfileobj(zeros, filler)
        return fillers[0]

    yield fill
    for each in fillers:
        each.unlink(missing_ok=True)


def is_healthy(stack):
    return stack.make("status").returncode == 0


def supervisor(stack):
    (pid,) = [pid for pid, command in stack.processes().items() if "supervise" in command]
    return pid


@pytest.mark.parametrize("name", SMALL_DISKS)
def test_is_said_and_goes_on(stack, full, name):
    """Commands name the disk; the supervisor lives; with room, all comes back."""
    pid = supervisor(stack)
    filler = full(name)
    if name == "postgres":
        # It fills the rest itself, and ends in the middle of its work for want of room.
        os.truncate(filler, filler.stat().st_size - 100 * 1024**2)
        assert stack.make("psql", "warehouse", "--", "-c", MUCH).returncode
        assert "PANIC" in (stack.state / "logs/postgres.log").read_text()
        full(name)
    # What becomes of it is no matter here: without its log, a task may wait for a worker for long.
    with suppress(UserError):
        trigger(AirflowApi(stack.airflow_url, "admin", stack.admin_password), "dbt_cloud_job")
    time.sleep(SECONDS_OF_WORK)

    said = {command: stack.make(command) for command in ("status", "doctor", "up")}

    for command, done in said.items():
        shown = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1, (command, shown)
        assert f"only 0 MB free in {stack.state / name}" in shown, (command, shown)
        assert "Traceback" not in shown, (command, shown)
    assert supervisor(stack) == pid
    filler.unlink()
    wait_for(lambda: is_healthy(stack))
    assert supervisor(stack) == pid
    status = json.loads(stack.make("status", "--format", "json").stdout)
    assert status["full_disks"] == []
    run = stack.make("run", "dbt_cloud_job")
    assert run.returncode == 0, run.stdout + run.stderr
