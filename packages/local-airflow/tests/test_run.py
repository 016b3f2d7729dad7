"""`make run`, as a person follows it in a terminal."""

import json
import ssl
from urllib.request import Request, urlopen

import pytest
from native_stack import wait_for
from terminal import COLOUR, read_all, seen, start

from local_airflow.stack.airflow_api import AirflowApi


DAG = """from airflow.sdk import dag, task


@dag(schedule=None)
def {name}():
    @task
    def done():
        return 1

    done()


{name}()
"""


@pytest.fixture
def pace(running_stack):
    """Set the pace of the local dbt Cloud's runs; afterwards they are real and free again."""
    token = (running_stack.state / "secrets/local_dbt_cloud_token").read_text().strip()
    trusted = ssl.create_default_context(cafile=str(running_stack.state / "tls/ca.pem"))
    url = f"https://localhost:{running_stack.ports['LOCAL_DBT_CLOUD_PORT']}/_local/pace/"

    def set_pace(**fields):
        body, headers = json.dumps(fields).encode(), {"Authorization": f"Token {token}"}
        headers["Content-Type"] = "application/json"
        urlopen(Request(url, body, headers), context=trusted, timeout=60).close()

    yield set_pace
    set_pace(hold=None)
    airflow = AirflowApi(running_stack.airflow_url, "admin", running_stack.admin_password)
    path = "/api/v2/dags/dbt_cloud_job/dagRuns"
    wait_for(lambda: not airflow.get(path, state=["queued", "running"])["total_entries"])
    set_pace(mode=None)


class TestInATerminal:
    def test_shows_what_is_waited_for(self, running_stack, pace):
        """While dbt Cloud works, the run and its step stand in the line; then comes the proof."""
        pace(mode="simulated", hold="running")
        run = start(running_stack, "run", "dbt_cloud_job")
        run.expect(r"[0-9] s  run_job deferred …  run 7[0-9]+: \w+")
        shown = run.before
        pace(hold=None)
        shown += read_all(run)
        lines = seen(shown)

        assert run.exitstatus == 0, shown
        assert any(line.startswith("  ✓ Airflow's dag_run is success") for line in lines)
        assert COLOUR.search(shown)
        assert [line for line in lines if len(line) > 80 and "://" not in line] == []
        assert [line for line in lines if "…" in line] == []

    def test_going_away_stops_nothing(self, running_stack, pace):
        """Ctrl-C ends the looking only, and says where the dag_run can be seen."""
        pace(mode="simulated", hold="queued")
        run = start(running_stack, "run", "dbt_cloud_job")
        run.expect("run_job deferred …")
        run.sendintr()
        shown = read_all(run)

        assert run.exitstatus == 130
        assert f"It goes on without you:   {running_stack.airflow_url}/dags/dbt_cloud_job" in shown
        assert "Traceback" not in shown


class TestWhichDag:
    @pytest.fixture
    def dags(self, running_stack):
        """Replace the DAGs of the clone by others; afterwards they are as they were."""
        airflow = AirflowApi(running_stack.airflow_url, "admin", running_stack.admin_password)
        folder = running_stack.root / "dags"
        sample = (folder / "dbt_cloud_job.py").read_text()

        def known():
            found = airflow.get("/api/v2/dags", limit=100)["dags"]
            return {each["dag_id"] for each in found if each["bundle_name"] == "dags-folder"}

        def put(**files):
            for file in folder.glob("*.py"):
                file.unlink()
            for name, text in files.items():
                (folder / f"{name}.py").write_text(text)
            wait_for(lambda: known() == set(files))

        yield put
        put(dbt_cloud_job=sample)

    def test_the_only_one_of_yours(self, running_stack, dags):
        """Without DAG= and without the sample, it is the one DAG of yours, examples or not."""
        dags(mine=DAG.format(name="mine"))

        done = running_stack.make("run")

        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("mine: ")
        assert "mine is success; it started no dbt Cloud run" in done.stdout

    def test_several(self, running_stack, dags):
        """Of several, none is guessed: they are listed, with what to type."""
        dags(mine=DAG.format(name="mine"), other=DAG.format(name="other"))

        done = running_stack.make("run")

        assert done.returncode == 1
        assert "error: which DAG?" in done.stderr
        assert "mine" in done.stderr
        assert "make run DAG=mine" in done.stderr

    def test_up_waits_for_what_is_there(self, running_stack, dags):
        """Without the sample, and with a file that has no DAG, `make up` is ready as quickly."""
        dags(mine=DAG.format(name="mine"))
        (running_stack.root / "dags/shared_words.py").write_text("# airflow, and no dag here\n")

        done = running_stack.make("up")

        (running_stack.root / "dags/shared_words.py").unlink()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "  the DAGs" in done.stdout
