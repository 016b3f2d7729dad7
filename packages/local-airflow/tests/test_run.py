"""`make run`, as a person follows it in a terminal."""

import json
import ssl
from urllib.request import Request, urlopen

import pytest
from native_stack import wait_for
from terminal import COLOUR, read_all, seen, start

from local_airflow.stack.airflow_api import AirflowApi


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
