"""The sample DAG, run by `dag.test()` against the local dbt Cloud: green, and red for a reason."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from code_blocks import blocks, missing_line
from http_receiver import receiver

from local_dbt_cloud.testing.throwaway_server import free_port


ROOT = Path(__file__).parents[4]
TOKEN = "dbtc_test"


@pytest.fixture
def dbt_cloud(tmp_path, flights_in_warehouse):
    """Start the local dbt Cloud on a copy of the dbt project; give its variables and that copy."""
    declared = yaml.safe_load((ROOT / "dbt_cloud_jobs.yml").read_text())
    shutil.copytree(ROOT / "dbt_project", tmp_path / "dbt_project")
    (tmp_path / "dbt_cloud_jobs.yml").write_text(yaml.safe_dump(declared))
    port = free_port()
    variables = {
        "LOCAL_DBT_CLOUD_PORT": str(port),
        "LOCAL_DBT_CLOUD_URL": f"https://localhost:{port}",
        "LOCAL_DBT_CLOUD_STATE": str(tmp_path / "state"),
        "LOCAL_DBT_CLOUD_TLS": str(tmp_path / "tls"),
        "LOCAL_DBT_CLOUD_TOKEN": TOKEN,
        "LOCAL_DBT_CLOUD_DBT": str(ROOT / ".local/dbt/bin/dbt"),
        "LOCAL_DBT_CLOUD_JOBS": str(tmp_path / "dbt_cloud_jobs.yml"),
    }
    log = (tmp_path / "server.log").open("wb")
    server = subprocess.Popen(
        [str(ROOT / ".local/local-dbt-cloud/bin/python"), "-m", "local_dbt_cloud", "serve"],
        env={**os.environ, **flights_in_warehouse.environment(), **variables},
        cwd=ROOT,
        stdout=log,
        stderr=log,
    )
    try:
        wait_until_healthy(variables)
        yield variables, tmp_path / "dbt_project"
    finally:
        server.terminate()
        server.wait(timeout=60)
        log.close()


def wait_until_healthy(variables):
    deadline = time.monotonic() + 120
    bundle = Path(variables["LOCAL_DBT_CLOUD_TLS"]) / "bundle.pem"
    while True:
        try:
            httpx.get(
                f"{variables['LOCAL_DBT_CLOUD_URL']}/_local/health",
                verify=ssl.create_default_context(cafile=str(bundle)),
            ).raise_for_status()
        except (httpx.HTTPError, OSError):
            assert time.monotonic() < deadline, "the local dbt Cloud did not start"
            time.sleep(0.05)
        else:
            return


def dag_test(variables, **process_env):
    """Run the sample DAG in a process of its own, and give what became of it."""
    job = {"job_id": 70403103900101}
    host = variables["LOCAL_DBT_CLOUD_URL"].removeprefix("https://")
    connection = {
        "conn_type": "dbt_cloud",
        "host": host,
        "login": "70403103900001",
        "password": TOKEN,
        "extra": job,
    }
    bundle = f"{variables['LOCAL_DBT_CLOUD_TLS']}/bundle.pem"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dag_test.py")), "dags", "dbt_cloud_job"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            **process_env,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_green(airflow_database, dbt_cloud):
    """Both tasks succeed, the XCom counts every node, and every model's asset has its event."""
    result, log = dag_test(dbt_cloud[0])

    summary = json.loads(json.dumps(result["xcoms"]["report_results.return_value"]))
    summary = json.loads(summary) if isinstance(summary, str) else summary
    assert result["state"] == "success"
    assert summary["failed"] == []
    assert summary["counts"]["success"] >= 9
    assert len(result["assets"]) == summary["counts"]["success"]
    event = result["assets"]["flights.daily_delays_by_carrier"]
    assert event["rows"] > 0
    assert event["seconds"] > 0
    assert event["invocation_id"] in summary["invocation_ids"]
    assert event["dbt_cloud_run_id"] == summary["dbt_cloud_run_id"]
    assert "daily_delays_by_carrier" in log
    assert re.search(r"Telling Airflow of the asset events of \d+ models took \d+\.\d s\.", log)


def test_red_with_a_broken_model(airflow_database, dbt_cloud):
    """With a broken model the dag_run is red; log, XCom and one message to people say why."""
    variables, project = dbt_cloud
    (model,) = project.rglob("daily_delays_by_carrier.sql")
    model.write_text("select no_such_column from {{ ref('stg_flights') }}\n")

    with receiver() as (url, messages):
        config = {"config": {"path": url.replace("http://", "json://")}}
        notifications = json.dumps({"conn_type": "apprise", "extra": config})
        result, log = dag_test(variables, AIRFLOW_CONN_DBT_CLOUD_NOTIFICATIONS=notifications)

    failure = result["xcoms"]["run_job.dbt_cloud_failure"]
    failure = json.loads(failure) if isinstance(failure, str) else failure
    assert failure["side"] == "dbt node"
    (node,) = failure["failed"]
    assert node["file"] == "models/marts/daily_delays_by_carrier.sql"
    assert node["owner"] == "Flight operations"
    assert "not_null_daily_delays_by_carrier_carrier_code" in node["skipped"]
    assert [message["title"] for message in messages] == ["dbt_cloud_job.run_job failed: dbt node"]
    assert "it resumes at daily_delays_by_carrier" in messages[0]["message"]
    assert result["state"] == "failed"
    assert result["assets"] == {}
    shown = next(each.code for each in blocks(ROOT / "docs/operator.md") if each.language == "text")
    assert missing_line(shown, log.partition("DbtFailedError: ")[2]) is None
    assert result["tasks"] == {"run_job": "failed", "report_results": "failed"}
    assert "dbt nodes failed: model.flights.daily_delays_by_carrier" in log
    assert "no_such_column" in log
