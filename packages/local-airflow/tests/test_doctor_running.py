"""`make doctor` beside a running stack, and as a person sees it."""

import json

import pytest
from native_stack import wait_for
from terminal import COLOUR, read_all, seen, start

from local_airflow.stack.airflow_api import AirflowApi


def doctor(stack):
    """The report as JSON, its findings by area and name, and the exit code."""
    done = stack.make("doctor", "--format", "json")
    report = json.loads(done.stdout)
    found = {
        (area["title"].partition(" (")[0], each["name"]): each
        for area in report["areas"]
        for each in area["findings"]
    }
    return found, done.returncode


@pytest.fixture
def airflow(running_stack):
    return AirflowApi(running_stack.airflow_url, "admin", running_stack.admin_password)


class TestStack:
    def test_everything_is_green(self, running_stack):
        """All parts, all heartbeats, and every step to dbt Cloud from both sides are green."""
        found, code = doctor(running_stack)

        ignored = {"git", "token in git", "memory"}  # of the machine that runs the tests
        colours = {key: each["level"] for key, each in found.items() if key[1] not in ignored}
        assert set(colours.values()) == {"ok"}, colours
        assert code == 0
        for place in ("dbt Cloud from this machine", "dbt Cloud from Airflow"):
            assert found[place, "trigger"]
            assert "Build flights" in found[place, "job"]["found"]
        assert "aiohttp" in found["dbt Cloud from Airflow", "triggerer"]["found"]
        assert "requests" in found["dbt Cloud from Airflow", "tasks"]["found"]

    def test_connection_edited_by_hand(self, running_stack, airflow):
        """A connection that somebody edited in the UI is found, and what differs is said."""
        path = "/api/v2/connections/dbt_cloud_default"
        before = airflow.get(path)
        fields = {name: before[name] for name in ("connection_id", "conn_type", "host", "login")}
        try:
            airflow.patch(f"{path}?update_mask=login", {**fields, "login": "7"})
            found, code = doctor(running_stack)
        finally:
            airflow.patch(f"{path}?update_mask=login", fields)

        edited = found["dbt Cloud from Airflow", "its connection"]
        assert edited["level"] == "warning"
        assert "another account" in edited["found"]
        assert found["dbt Cloud from Airflow", "account"]["level"] == "error"
        assert found["dbt Cloud from this machine", "account"]["level"] == "ok"
        assert found["dbt Cloud from Airflow", "tasks"]["level"] == "skipped"
        assert code == 1

    def test_dag_file_that_does_not_import(self, running_stack, airflow):
        """A DAG file with an error is named with the error's last line."""
        file = running_stack.root / "dags" / "broken_by_a_test.py"
        try:
            file.write_text("from airflow.sdk import dag\nimport no_such_module_anywhere\n")
            wait_for(lambda: airflow.get("/api/v2/importErrors")["import_errors"])
            found, code = doctor(running_stack)
        finally:
            file.unlink()
        wait_for(lambda: not airflow.get("/api/v2/importErrors")["import_errors"])

        broken = found["Stack", "DAG files"]
        assert "dags/broken_by_a_test.py" in broken["found"]
        assert "no_such_module_anywhere" in broken["cause"]
        assert code == 1


class TestTerminal:
    def test_colours_that_fit(self, running_stack):
        """In a terminal there are colours, and no line is longer than its 80 columns."""
        raw = read_all(start(running_stack, "doctor"))
        lines = seen(raw)

        assert COLOUR.search(raw)
        assert max(map(len, lines)) <= 80
        assert any(line.startswith("  ✓ job") and "Build flights" in line for line in lines)

    def test_no_color(self, running_stack):
        """NO_COLOR takes the colours away, and nothing else."""
        raw = read_all(start(running_stack, "doctor", NO_COLOR="1"))

        assert not COLOUR.search(raw)
        assert any(line.startswith("  ✓ job") for line in seen(raw))
