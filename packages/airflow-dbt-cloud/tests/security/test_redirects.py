"""A redirect is followed by none of Airflow's clients of dbt Cloud: it would have the token."""

import json
import ssl

import aiohttp
import pytest
import trustme
from attempts import run_to_the_end
from scripted_dbt_cloud import ACCOUNT, JOB, TOKEN, ScriptedDbtCloud

from airflow_dbt_cloud.calls.api_errors import MovedError, UnavailableError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.preflight import as_task, as_triggerer, check_airflow, read_connection


REDIRECTS = pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, MovedError),
        (302, UnavailableError),
        (303, UnavailableError),
        (307, UnavailableError),
        (308, MovedError),
    ],
)


@pytest.fixture(scope="module")
def certificates():
    """An authority that both servers have their certificates from."""
    return trustme.CA()


@pytest.fixture(params=["https", "http"])
def elsewhere(request, certificates):
    """Another server, which speaks TLS or does not."""
    with ScriptedDbtCloud(certificates, scheme=request.param).serve() as server:
        yield server


@pytest.fixture
def dbt_cloud(certificates, tmp_path, monkeypatch):
    """The dbt Cloud of the Airflow connection; both libraries trust it."""
    bundle = tmp_path / "bundle.pem"
    certificates.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    trusted = ssl.create_default_context(cafile=str(bundle))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusted)
    with ScriptedDbtCloud(certificates).serve() as server:
        connection = {
            "conn_type": "dbt_cloud",
            "host": f"localhost:{server.port}",
            "login": str(ACCOUNT),
            "password": TOKEN,
            "extra": {"job_id": JOB},
        }
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps(connection))
        yield server


@pytest.fixture
def send_elsewhere(dbt_cloud, elsewhere):
    """Let dbt Cloud answer everything with a redirect; give the address that it begins with."""

    def send(status, end="\x9b"):
        address = f"{elsewhere.url}/api/v2/accounts/{ACCOUNT}/"
        dbt_cloud.answer_all(status, "", Location=f"{address}{end}")
        return address

    return send


class TestRedirects:
    @REDIRECTS
    def test_task(self, send_elsewhere, elsewhere, dbt_cloud, status, error):
        """A task fails with the address, or waits until dbt Cloud is back, and asks nobody else."""
        address = send_elsewhere(status)
        api = HookRunsApi(PatientDbtCloudHook(patience=0), None)

        for call in (api.newest_runs, lambda: api.trigger(JOB, {"cause": "a test"})):
            with pytest.raises(error, match=f"sends its callers to {address}"):
                call()

        assert elsewhere.requests == []
        assert [method for method, _, _ in dbt_cloud.requests] == ["GET", "POST"]

    @REDIRECTS
    def test_triggerer(self, send_elsewhere, elsewhere, dbt_cloud, status, error):
        """So does what waits in the triggerer."""
        address = send_elsewhere(status)

        async def ask():
            api = AsyncDbtCloudApi("dbt_cloud_default", None)
            try:
                for call in (lambda: api.newest_successes(JOB, 1), lambda: api.cancel(1)):
                    with pytest.raises(error, match=f"sends its callers to {address}"):
                        await call()
            finally:
                await api.close()

        run_to_the_end(ask())

        assert elsewhere.requests == []
        assert [method for method, _, _ in dbt_cloud.requests] == ["GET", "POST"]

    def test_doctor(self, send_elsewhere, elsewhere):
        """`make doctor` says where dbt Cloud sends Airflow, and tries no further."""
        send_elsewhere(302)

        checks = check_airflow()

        assert any(str(elsewhere.port) in check.found for check in checks)
        assert elsewhere.requests == []

    @pytest.mark.filterwarnings("default")  # Airflow itself uses what it calls deprecated
    def test_provider(self, send_elsewhere, elsewhere):
        """The provider's own calls follow, which the doctor tries, and leave the token behind."""
        send_elsewhere(302, end="")

        as_task()
        as_triggerer(read_connection())

        assert [token for _, _, token in elsewhere.requests] == ["", ""]
