"""`dbt_cloud_curl`, and the shell script it runs: exit codes, cancelling, a token nobody sees."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")

SCRIPT = Path(__file__).parents[3] / "examples/include/run_dbt_cloud_job.sh"


@pytest.fixture
def start_script(dbt_cloud):
    """Start the script as the DAG does; what is given by name wins over its process environment."""
    started = []

    def start(**process_env):
        connection = json.loads(dbt_cloud.connection.for_airflow())
        process_env = {
            "DBT_CLOUD_HOST": connection["host"],
            "DBT_CLOUD_ACCOUNT_ID": connection["login"],
            "DBT_CLOUD_TOKEN": connection["password"],
            "JOB_NAME": "Build one month",
            "CAUSE": 'a "quoted" cause',
            "SECONDS_TO_WAIT": "60",
            **process_env,
        }
        process = subprocess.Popen(
            [SCRIPT],
            env={**os.environ, **process_env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_running(dbt_cloud):
    return any(run.status == "running" for run in dbt_cloud.runs)


def command_lines_of(session):
    """The command line of every process of a session."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            stat = (process / "stat").read_text().rpartition(")")[2].split()
            if int(stat[3]) == session:
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue


class TestDag:
    def test_green(self, run_dag, dbt_cloud):
        """One run is started and waited for, and its nodes are counted."""
        ended = run_dag("dbt_cloud_curl")

        assert ended.state == "success"
        assert ended.result("report_results")["dbt_cloud_run_id"] == dbt_cloud.runs[0].id
        assert "Apache Airflow: dbt_cloud_curl, dag_run manual" in dbt_cloud.runs[0].cause

    def test_red_when_the_run_fails(self, run_dag, dbt_cloud):
        """A failed run turns the task red, and no second run is started."""
        dbt_cloud.end_next_run_as("error")

        ended = run_dag("dbt_cloud_curl")

        assert ended.tasks == {"run_job": "failed", "report_results": "upstream_failed"}
        assert len(dbt_cloud.runs) == 1


class TestScript:
    def test_success(self, start_script, dbt_cloud):
        """Exit code 0, the run's number in the last line, and the cause as it was given."""
        process = start_script()
        output, _ = process.communicate(timeout=60)

        assert process.returncode == 0
        assert int(output.splitlines()[-1]) == dbt_cloud.runs[0].id
        assert dbt_cloud.runs[0].cause == 'a "quoted" cause'

    def test_failure(self, start_script, dbt_cloud):
        """Exit code 1, and dbt Cloud's words of why."""
        dbt_cloud.end_next_run_as("error", message="the disk is full")

        process = start_script()
        _, errors = process.communicate(timeout=60)

        assert process.returncode == 1
        assert "the disk is full" in errors

    def test_job_of_that_name_is_not_there(self, start_script, dbt_cloud):
        """A name that no job has, or that is only part of one, starts nothing and says so."""
        process = start_script(JOB_NAME="Build one")
        _, errors = process.communicate(timeout=60)

        assert process.returncode != 0
        assert "0 jobs are called Build one" in errors
        assert dbt_cloud.runs == []

    def test_refused_token(self, start_script, dbt_cloud):
        """A wrong token ends it, with the status that dbt Cloud answered."""
        process = start_script(DBT_CLOUD_TOKEN="dbtc_wrong")
        _, errors = process.communicate(timeout=60)

        assert process.returncode != 0
        assert "401" in errors

    def test_a_bad_minute_while_waiting(self, start_script, dbt_cloud):
        """An answer of 503 to a question about the run is asked again; the run goes on."""
        dbt_cloud.fail_next(503, method="GET", path="*/runs/*")

        process = start_script()
        process.communicate(timeout=60)

        assert process.returncode == 0
        assert len(dbt_cloud.runs) == 1

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_told_to_stop(self, start_script, dbt_cloud, number):
        """Told to stop, as Airflow does when a task is killed, it cancels the run first."""
        dbt_cloud.hold()
        process = start_script()
        # It has read the answer: from here on it knows its run.
        said = process.stdout.readline()
        assert said.startswith(f"run {dbt_cloud.runs[0].id}: ")
        os.killpg(process.pid, number)
        process.communicate(timeout=60)

        assert process.returncode == 1
        assert dbt_cloud.runs[0].status == "cancelled"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_told_to_stop_while_it_starts_the_run(self, start_script, dbt_cloud, number):
        """Told to stop before it knows which run it has started, it waits for that and cancels."""
        dbt_cloud.hold()
        dbt_cloud.fail_next("slow", method="POST", path="*/run/", delay_seconds=2)
        process = start_script()
        while not dbt_cloud.runs:
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=60)

        assert process.returncode == 1
        assert errors == f"cancelled run {dbt_cloud.runs[0].id}\n"
        assert [run.status for run in dbt_cloud.runs] == ["cancelled"]

    def test_time_is_up(self, start_script, dbt_cloud):
        """A run that takes longer than it may is cancelled."""
        dbt_cloud.hold()

        process = start_script(SECONDS_TO_WAIT="2")
        _, errors = process.communicate(timeout=60)

        assert process.returncode == 1
        assert "has not ended in 2 s" in errors
        assert dbt_cloud.runs[0].status == "cancelled"

    def test_token_is_on_no_command_line(self, start_script, dbt_cloud):
        """While it works, no process shows the token to others; cURL was among those looked at."""
        dbt_cloud.hold()
        # Slow answers keep cURL there long enough to be looked at.
        dbt_cloud.fail_next("slow", method="*", path="*", times=4, delay_seconds=0.4)
        process = start_script()
        seen = set()
        while not is_running(dbt_cloud) or not any("--cacert" in line for line in seen):
            assert process.poll() is None
            seen.update(command_lines_of(process.pid))
            time.sleep(0.01)
        dbt_cloud.release()
        process.communicate(timeout=60)

        assert process.returncode == 0
        assert [line for line in seen if "curl" in line]
        assert [line for line in seen if dbt_cloud.connection.token in line] == []
