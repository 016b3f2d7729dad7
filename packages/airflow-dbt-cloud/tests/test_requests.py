"""What goes over the wire: no more than is needed, through the proxy, and never for ever."""

import json
import os
import re
import time

import pytest
from attempts import Blow, kill_this_process, run_to_the_end
from chokepoint import Answer
from scripted_dbt_cloud import proxy
from server_process import ACCOUNT, JOB

from airflow_dbt_cloud.calls.api_errors import AnswerLostError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.preflight import AirflowConnection, as_task, as_triggerer
from dbt_cloud_api.preflight.check import Level


MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "sync"])


@pytest.fixture
def through_proxy(connected, monkeypatch):
    """The connection names a proxy, and nothing else does."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with proxy() as (port, asked):
        connection = json.loads(os.environ["AIRFLOW_CONN_DBT_CLOUD_DEFAULT"])
        connection["extra"] = {"proxies": {"https": f"http://127.0.0.1:{port}"}}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps(connection))
        yield asked


class TestProxy:
    def test_in_the_worker(self, through_proxy, connected):
        """The proxy of the connection is obeyed by what runs in a worker."""
        hook = PatientDbtCloudHook()
        HookRunsApi(hook, None).newest_runs()
        hook.get_conn().close()

        assert through_proxy[0].startswith(f"CONNECT localhost:{connected.port} ")

    def test_in_the_triggerer(self, through_proxy, trusted, connected):
        """And by what runs in the triggerer."""

        async def ask():
            api = AsyncDbtCloudApi("dbt_cloud_default", None)
            await api.newest_successes(JOB, 1)
            await api.close()

        run_to_the_end(ask())

        assert through_proxy[0].startswith(f"CONNECT localhost:{connected.port} ")

    @pytest.mark.filterwarnings("default")  # Airflow itself uses what it calls deprecated
    def test_of_a_shell(self, connected, trusted, monkeypatch):
        """Through HTTPS_PROXY our calls arrive; the doctor says that the provider's do not."""
        for name in ("https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        # A name in the server's certificate that this machine does not know.
        connection = json.loads(os.environ["AIRFLOW_CONN_DBT_CLOUD_DEFAULT"])
        connection["host"] = f"local-dbt-cloud:{connected.port}"
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps(connection))
        seen = AirflowConnection(connection["host"], ACCOUNT, JOB, connected.token)
        with proxy(known={"local-dbt-cloud": "127.0.0.1"}) as (port, asked):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            task, triggerer = as_task(), as_triggerer(seen)

        assert task.level is Level.OK
        assert triggerer.level is Level.WARNING
        assert "DbtCloudJobOperator" in triggerer.cause
        assert len(asked) >= 2


class TestTimeLimit:
    def test_in_the_worker(self, narrow):
        """A server that says nothing is given up by default after half a minute; here after one."""
        narrow.answers = [Answer("GET .*", 200, delay=30, times=9)]
        hook = PatientDbtCloudHook(timeout_seconds=1, patience=0)
        began = time.monotonic()

        with pytest.raises(AnswerLostError):
            HookRunsApi(hook, None).newest_runs()

        assert time.monotonic() - began < 20
        assert PatientDbtCloudHook().timeout_seconds == 30

    def test_in_the_triggerer(self, narrow, trusted):
        """Also where the triggerer asks."""
        narrow.answers = [Answer("GET .*", 200, delay=1, times=9)]

        async def ask():
            api = AsyncDbtCloudApi("dbt_cloud_default", None, seconds_per_request=0.3)
            try:
                await api.newest_successes(JOB, 1)
            finally:
                await api.close()

        with pytest.raises(AnswerLostError):
            run_to_the_end(ask())


class TestThrift:
    @MODES
    def test_no_list_without_a_limit(self, task_instance, narrow, deferrable):
        """Every list is asked for with a limit, also where a lost run is searched for."""
        ti = task_instance(deferrable=deferrable)
        ti.run(Blow("POST jobs/run/", after=True, strike=kill_this_process))
        ti.retry()

        lists = [each for each in narrow.requests if re.search(r"/runs/\?", each)]
        assert lists
        assert [each for each in lists if "limit=" not in each] == []

    def test_one_connection(self, connected):
        """All requests of a task's worker share one TLS connection."""
        hook = PatientDbtCloudHook()
        for _ in range(3):
            HookRunsApi(hook, None).newest_runs()

        pools = hook.get_conn().get_adapter("https://").poolmanager.pools
        (pool,) = [pools[key] for key in pools.keys()]  # noqa: SIM118 # not a dictionary
        assert (pool.num_connections, pool.num_requests) == (1, 3)
