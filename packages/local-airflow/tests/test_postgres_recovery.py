"""PostgreSQL alone, killed in the middle of its work, and what is there when it answers again."""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from dbt_cloud_api.user_error import UserError
from local_airflow.native import postgres
from local_airflow.native.postgres_answers import (
    SECONDS_WITHOUT_PROGRESS,
    Recovery,
    until_it_answers,
)
from local_airflow.stack.settings import load_settings
from local_dbt_cloud.testing.throwaway_server import free_port


# Twice the memory that PostgreSQL keeps pages in: half a second to read after a crash.
SAID = re.compile(
    "PostgreSQL recovers after a crash: (?P<done>[0-9]+) of about (?P<whole>[0-9]+) MB"
)
MUCH = """
    drop table if exists much;
    create table much as select g, repeat(md5(g::text), 20) from generate_series(1, 200000) g
"""


class Database:
    """A PostgreSQL as the native mode starts it."""

    def __init__(self, settings):
        self.settings = settings
        self.recovery = Recovery(settings.folders.postgres)

    def start(self):
        self.process = subprocess.Popen(
            postgres.command(self.settings),
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def waiting(self, recovery):
        return until_it_answers(self.settings.postgres_port, recovery, self.postmaster)

    def postmaster(self):
        # It refuses to start while one of those that were killed still holds its memory.
        return self.process.pid if self.process.poll() is None else self.start().process.pid

    def wait(self):
        """Wait until it answers, and give what was said meanwhile."""
        said = []
        for _ in self.waiting(self.recovery):
            said.append(self.recovery.words)
            time.sleep(0.01)
        return said

    def connect(self):
        return psycopg.connect(
            host="127.0.0.1",
            port=self.settings.postgres_port,
            user="postgres",
            password=self.settings.secrets.postgres_password,
            autocommit=True,
        )

    def children(self):
        pid = self.process.pid
        return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def cut_power(self):
        """Kill everything at once; nobody has time to write."""
        for pid in (self.process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """What the native mode knows of a stack that has nothing but a cluster."""
    folder = tmp_path_factory.mktemp("recovery")
    # PostgreSQL may run as another user, who must reach its folder.
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(0o755)
    (folder / ".env").write_text(f"POSTGRES_PORT={free_port()}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_STATE", str(folder / "state"))
        patch.setenv("LOCAL_ENV_FILE", str(folder / ".env"))
        settings = load_settings()
    postgres.create_cluster(settings)
    return settings


@pytest.fixture
def database(settings):
    database = Database(settings).start()
    try:
        database.wait()
        yield database
    finally:
        database.cut_power()


def test_commit_is_kept(database):
    """What was committed in the instant before a power cut is there after it."""
    with database.connect() as connection:
        connection.execute("create table said (number integer)")
        for number in range(20):
            connection.execute("insert into said values (%s)", (number,))
        database.cut_power()

    database.start().wait()

    with database.connect() as connection:
        assert connection.execute("select count(*) from said").fetchall() == [(20,)]


def test_recovery_is_waited_for(database):
    """A recovery takes the time that it takes, says how far it is, and its end is noticed."""
    with database.connect() as connection:
        connection.execute(MUCH)
    database.cut_power()

    said = [SAID.fullmatch(words) for words in database.start().wait() if "crash" in words]
    done, whole = ([int(words[part]) for words in said] for part in ("done", "whole"))

    assert done[0] == 0
    assert done == sorted(done)
    assert whole[0] > 100
    with database.connect() as connection:
        assert connection.execute("select count(*) from much").fetchall() == [(200000,)]


def test_recovery_that_stands_still(database):
    """One that makes no progress for long is given up, with what to look at."""
    with database.connect() as connection:
        connection.execute(MUCH)
    database.cut_power()
    now = [0.0]
    recovery = Recovery(database.settings.folders.postgres, clock=lambda: now[0])
    waiting = database.start().waiting(recovery)
    while "crash" not in recovery.words:
        next(waiting)
    for pid in database.children():
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.1)

    next(waiting)
    now[0] += SECONDS_WITHOUT_PROGRESS
    next(waiting)
    now[0] += 1
    with pytest.raises(UserError, match="no progress for 300 seconds"):
        next(waiting)
