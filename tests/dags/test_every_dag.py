"""What every DAG of this repository owes: add a file to dags/ and it is held to this."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from sqlalchemy.engine import Engine


DAGS = Path(__file__).parents[2] / "dags"

ACCOUNT = {
    "DBT_CLOUD_JOB_URL": "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN": "dbtc_secret",
}


class ReachedOutError(Exception):
    """A DAG file talked to a server or a database while it was read."""


@pytest.fixture
def sealed(monkeypatch):
    """Let nothing out while a DAG file is read: no socket, no database."""

    def refuse(*arguments, **options):
        raise ReachedOutError(arguments)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(Engine, "connect", refuse)


@pytest.fixture
def dag_bag(sealed):
    return DagBag(DAGS)


class TestImport:
    @pytest.mark.parametrize("settings", [{}, ACCOUNT], ids=["env unset", "env set"])
    def test_without_network_or_database(self, sealed, monkeypatch, settings):
        """Every file in dags/ imports with and without .env, and reaches for nothing outside."""
        for name in ACCOUNT:
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

        bag = DagBag(DAGS)

        assert bag.import_errors == {}
        assert set(bag.dags) >= {"dbt_cloud_job"}

    @pytest.mark.parametrize(
        "line",
        [
            "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
            "from airflow.sdk import Variable; Variable.get('x')",
        ],
        ids=["network", "database"],
    )
    def test_the_seal_holds(self, sealed, tmp_path, line):
        """A DAG file that asks a server or the database is an import error here."""
        (tmp_path / "leaky.py").write_text(
            f"{line}\nfrom airflow.sdk import DAG\nwith DAG('leaky'): pass\n"
        )

        assert DagBag(tmp_path).import_errors != {}

    def test_load_time(self, capsys):
        """Each file's load time in a fresh process is printed; wiring takes no two seconds."""
        read = (
            "import airflow, sys; from airflow.dag_processing.dagbag import DagBag\n"
            "for s in DagBag(sys.argv[1]).dagbag_stats: print(s.file, s.duration.total_seconds())"
        )
        done = subprocess.run(
            [sys.executable, "-c", read, str(DAGS)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        rows = [line.split() for line in done.stdout.splitlines() if ".py " in line]
        seconds = {file.lstrip("/"): float(number) for file, number in rows}
        with capsys.disabled():
            for file, number in seconds.items():
                print(f"\n  {file}: {number:.2f} s to load in a fresh process", end="")

        assert seconds
        assert {file for file, number in seconds.items() if number > 2} == set()


class TestHouseRules:
    def test_one_dag_a_file_of_the_same_name(self, dag_bag):
        """A DAG is found by its name: dags/x.py holds the DAG x."""
        wrong = {
            dag.dag_id for dag in dag_bag.dags.values() if Path(dag.fileloc).stem != dag.dag_id
        }

        assert wrong == set()

    def test_documented_tagged_and_retried(self, dag_bag):
        """A DAG says what it is for and what to do when it is red, has a tag, and retries."""
        lacking = {
            dag.dag_id
            for dag in dag_bag.dags.values()
            if not (dag.doc_md and "red" in dag.doc_md and dag.tags)
            or not all(task.retries for task in dag.tasks)
        }

        assert lacking == set()

    def test_reaches_the_scheduler(self, dag_bag):
        """Every DAG can be written down and read again, as on its way to the scheduler."""
        for dag in dag_bag.dags.values():
            again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
            assert set(again.task_ids) == set(dag.task_ids)

    def test_owned(self, dag_bag):
        """Every task has an owner who can be asked, not the name that Airflow gives by itself."""
        nobodys = {
            f"{dag.dag_id}.{task.task_id}"
            for dag in dag_bag.dags.values()
            for task in dag.tasks
            if task.owner == "airflow"
        }

        assert nobodys == set()

    def test_starts_nothing_by_itself(self, dag_bag):
        """What has a schedule is off until somebody switches it on: no surprise in your account."""
        on = {
            dag.dag_id
            for dag in dag_bag.dags.values()
            if dag.schedule is not None and not dag.is_paused_upon_creation
        }

        assert on <= {"flight_delays"}  # its schedule has ended: only a backfill makes dag_runs

    def test_no_cycles(self, dag_bag):
        """The tasks of every DAG can be put in an order."""
        for dag in dag_bag.dags.values():
            dag.check_cycle()

    def test_is_wiring_only(self, dag_bag):
        """A DAG file stays short; what it does is in include/, where it is tested on its own."""
        long = {path.name for path in DAGS.glob("*.py") if len(path.read_text().splitlines()) >= 60}

        assert long == set()


class TestSampleDag:
    def test_job_comes_from_the_connection(self, dag_bag):
        """The job's id is read from the connection when the task runs, never from .env."""
        task = dag_bag.dags["dbt_cloud_job"].get_task("run_job")

        assert "conn.dbt_cloud_default" in task.job_id
        assert task.deferrable is True

    def test_reports_also_after_a_failure(self, dag_bag):
        """The report runs whatever became of the job: then its table is the reason."""
        task = dag_bag.dags["dbt_cloud_job"].get_task("report_results")

        assert task.trigger_rule == "all_done"
        assert task.upstream_task_ids == {"run_job"}
