"""The commands of the daily loop in the native mode, on one stack."""

import io
import sqlite3
import sys
from contextlib import closing

import pytest
from native_stack import Stack

from local_airflow.base.state_archive import read_archive, write_archive
from local_airflow.update.upgrade_test import changes


@pytest.fixture
def stack(tmp_path):
    stack = Stack(tmp_path)
    yield stack
    stack.make("down")
    assert stack.processes() == {}


class TestNativeStack:
    @pytest.fixture
    def running(self, stack):
        up = stack.make("up")
        assert up.returncode == 0, up.stdout + up.stderr
        return stack

    def test_snapshot_restart_and_back(self, running):
        """psql asks, what was restarted works, and a snapshot brings back what was dropped."""
        count = "select count(*) from raw.flights"
        assert "27004" in running.make("psql", "warehouse", "--", "-c", count).stdout
        shell = running.make("shell", "python", "--", "-c", "import airflow, airflow_dbt_cloud")
        assert shell.returncode == 0, shell.stderr
        assert running.make("snapshot", "before").returncode == 0
        assert running.make("snapshot", "before").returncode == 1

        before = running.make("status").stdout
        assert running.make("restart", "triggerer").returncode == 0
        assert running.make("status").stdout != before
        assert running.make("restart", "postgres").returncode == 0
        assert running.make("psql", "warehouse", "--", "-c", "select 1").returncode == 0
        ran = running.make("run", "dbt_cloud_job")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        running.make("psql", "warehouse", "--", "-c", "drop table raw.flights cascade")

        restored = running.make("restore", "before", stdin="yes\n")

        assert restored.returncode == 0, restored.stdout + restored.stderr
        assert "27004" in running.make("psql", "warehouse", "--", "-c", count).stdout
        assert running.make("status").returncode == 0

    def test_refusals_name_the_choices(self, stack):
        """What is not there is refused with what there is."""
        assert "airflow and warehouse" in stack.make("psql", "nothing").stderr
        assert "none yet" in stack.make("restore", "nothing").stderr
        assert "no name for a snapshot" in stack.make("restore", "../x").stderr
        assert "make up" in stack.make("shell").stderr
        assert "looks like 3.3.2" in stack.make("upgrade-test", "three").stderr


class TestStateArchive:
    def test_comes_back_as_it_was(self, tmp_path):
        """Data and an open database come back whole; what is installed or was there does not."""
        source, target = tmp_path / "source", tmp_path / "target"
        (source / "runs").mkdir(parents=True)
        (source / "runs" / "log").write_text("said")
        environment = source / "dbt_environments/1.10/bin"
        environment.mkdir(parents=True)
        (environment / "python").symlink_to(sys.executable)
        (environment / "dbt").write_text("installed")
        target.mkdir()
        (target / "old").write_text("old")
        archive = io.BytesIO()
        with closing(sqlite3.connect(source / "state.sqlite")) as database:
            database.execute("pragma journal_mode=wal")
            database.execute("create table runs (id integer)")
            database.execute("insert into runs values (7)")
            database.commit()
            write_archive(source, archive)
        archive.seek(0)

        read_archive(target, archive)

        names = {path.name for path in target.rglob("*") if path.is_file()}
        assert names == {"log", "state.sqlite"}
        with closing(sqlite3.connect(target / "state.sqlite")) as database:
            assert database.execute("select id from runs").fetchall() == [(7,)]


class TestUpgradeDiff:
    def test_names_what_comes_goes_and_changes(self):
        """Each package that differs is a line with both versions; the others are left out."""
        lines = changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})

        assert [line.split() for line in lines] == [
            ["b", "1", "→", "2"],
            ["c", "1", "→", "-"],
            ["d", "-", "→", "1"],
        ]
