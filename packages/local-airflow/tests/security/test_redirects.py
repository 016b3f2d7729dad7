"""Who sends a token on this machine follows no redirect, which would take it elsewhere."""

import os
import subprocess

import pytest
import trustme
from repository_copy import ROOT
from scripted_dbt_cloud import ACCOUNT, TOKEN, ScriptedDbtCloud

from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError


@pytest.fixture(scope="module")
def certificates():
    """An authority that the servers have their certificates from."""
    return trustme.CA()


@pytest.fixture
def elsewhere(certificates):
    """Another server, in plain HTTP."""
    with ScriptedDbtCloud(certificates, scheme="http").serve() as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_login_of_airflow_stays(certificates, elsewhere, status):
    """Whoever answers at Airflow's port cannot send Airflow's own token on to somebody else."""
    with ScriptedDbtCloud(certificates, scheme="http").serve() as airflow:
        airflow.answer_all(status, "", Location=f"{elsewhere.url}/")
        airflow.answers["/auth/token"] = (201, {"access_token": "a-token"})
        api = AirflowApi(airflow.url, "admin", "a-password")

        for call in (lambda: api.get("/api/v2/dags"), lambda: api.post("/api/v2/variables", {})):
            with pytest.raises(AirflowApiError, match=f"sends its callers to {elsewhere.url}/"):
                call()

    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_curl_of_the_example(certificates, elsewhere, tmp_path, status):
    """A redirect ends the script, also where ~/.curlrc says to follow and to trust everybody."""
    (tmp_path / ".curlrc").write_text("location-trusted\n")
    bundle = tmp_path / "bundle.pem"
    certificates.cert_pem.write_to_path(str(bundle))
    with ScriptedDbtCloud(certificates).serve() as there:
        there.answer_all(status, "", Location=f"{elsewhere.url}/")
        settings = {
            "DBT_CLOUD_HOST": f"localhost:{there.port}",
            "DBT_CLOUD_ACCOUNT_ID": str(ACCOUNT),
            "DBT_CLOUD_TOKEN": TOKEN,
            "JOB_NAME": "Nightly",
            "CAUSE": "a test",
            "SECONDS_TO_WAIT": "9",
            "REQUESTS_CA_BUNDLE": str(bundle),
            "HOME": str(tmp_path),
        }
        done = subprocess.run(
            [ROOT / "examples/include/run_dbt_cloud_job.sh"],
            env={"PATH": os.environ["PATH"], **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert len(there.requests) == 1
    assert elsewhere.requests == []
    assert (done.returncode, done.stdout) == (47, "")
    assert "redirects followed" in done.stderr
    assert "Traceback" not in done.stderr
