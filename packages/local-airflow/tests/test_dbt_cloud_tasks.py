"""`make down` ends the tasks that wait for dbt Cloud, whoever refuses one of them."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dbt_cloud_api.client import DbtCloudApi
from local_airflow.running.dbt_cloud_tasks import end_dbt_cloud_tasks
from local_airflow.stack.airflow_api import AirflowApi


REFUSED, ENDED = "refused_by_airflow", "ended"


class Airflow(BaseHTTPRequestHandler):
    """Two tasks that wait; one of them Airflow will not end. `runs` has the run of each."""

    runs: dict[str, int]
    asked_to_end: list[str]

    def log_message(self, *_):
        """Be silent."""

    def answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # http.server's name
        self.answer({"access_token": "token"}, 201)

    def do_GET(self):  # as above
        if "xcomEntries" in self.path:
            self.answer({"value": self.runs[self.path.split("/taskInstances/")[1].split("/")[0]]})
            return
        where = {"dag_id": "nightly", "dag_run_id": "manual__1", "map_index": -1}
        tasks = [
            {**where, "task_id": name, "operator": "DbtCloudJobOperator"} for name in self.runs
        ]
        self.answer({"task_instances": tasks, "total_entries": len(tasks)})

    def do_PATCH(self):  # as above
        self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rpartition("/")[2]
        self.asked_to_end.append(name)
        if name == REFUSED:
            self.answer({"detail": "the task has just begun anew"}, 409)
        else:
            self.answer({"task_instances": []})


@pytest.fixture
def airflow():
    """Answer what Airflow answers, on a port of this machine."""

    class Handler(Airflow):
        runs, asked_to_end = {REFUSED: 1, ENDED: 2}, []

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        yield AirflowApi(address, "admin", "password"), Handler
        server.shutdown()
        thread.join()


@pytest.fixture
def api_of(dbt_cloud):
    """The client of a dbt Cloud that does as it is told."""
    connection = dbt_cloud.connection
    trusted = ssl.create_default_context(cafile=connection.ca_bundle)
    return lambda: DbtCloudApi(connection.host, connection.account_id, connection.token, trusted)


def start_run(dbt_cloud):
    connection = dbt_cloud.connection
    path = f"/api/v2/accounts/{connection.account_id}/jobs/{connection.job_id}/run/"
    return dbt_cloud.server.ask("POST", path, {"cause": "a task"})["data"]["id"]


def test_one_that_airflow_refuses(airflow, dbt_cloud, api_of):
    """The others are ended and their runs waited for; the refused one is named with the reason."""
    api, handler = airflow
    dbt_cloud.hold()
    handler.runs[ENDED] = start_run(dbt_cloud)
    dbt_cloud.end_run(handler.runs[ENDED], "cancelled")

    said = list(end_dbt_cloud_tasks(api, api_of))

    assert handler.asked_to_end == [REFUSED, ENDED]
    assert said == [
        f"could not end nightly.{REFUSED}: Airflow answered 409, the task has just begun anew",
        f"ended nightly.{ENDED}; its dbt Cloud run {handler.runs[ENDED]} is Cancelled",
    ]


def test_dbt_cloud_refuses(airflow, dbt_cloud, api_of):
    """A run of which dbt Cloud says nothing is unknown, and keeps nobody from stopping."""
    api, _ = airflow
    dbt_cloud.revoke_token()

    *_, last = end_dbt_cloud_tasks(api, api_of)

    assert last.startswith(f"ended nightly.{ENDED}; its dbt Cloud run 2 is unknown: dbt Cloud")
