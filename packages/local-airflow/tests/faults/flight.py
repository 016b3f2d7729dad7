"""Forty dag runs in the air: ten in each of the states in which a fault can meet a task."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from native_stack import Stack
from repository_copy import copy_with_environments
from tcp_proxy import TcpProxy

from local_airflow.base.state_file import read_state
from local_airflow.stack.airflow_api import AirflowApi
from local_dbt_cloud.testing.test_client import DbtCloud, Run
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer


OF_EACH = 10
# A dag run of each state has a job of its own: a job has one dbt Cloud run at a time.
JOBS = {
    "deferred": 70403103900101,
    "reporting": 70403103900102,
    "triggering": 70403103900103,
    "queued": 70403103900104,
}
DBT_JOB = 70403103900105
DBT_SEED = {"execute_steps": ["dbt seed"], "run_generate_sources": False, "generate_docs": False}
# How long a request is held up: longer than twenty tasks need to get there, shorter than the
# operator waits for an answer. Those that report are there first.
SECONDS_TO_REPORT, SECONDS_TO_TRIGGER, SECONDS_FOR_AN_ANSWER = 55, 40, 60
SECONDS_TO_LAND = 420
CONNECTION = "dbt_cloud_behind_a_proxy"
DAGS = '''"""### Written by a test. Red: a fault was not survived."""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_dbt_cloud.operator import DbtCloudJobOperator


for state, job_id in {jobs}.items():
    with DAG(f"flight_{{state}}", schedule=None, tags=["test"], doc_md=__doc__) as dag:
        DbtCloudJobOperator(
            task_id="build",
            job_id=job_id,
            dbt_cloud_conn_id="{connection}",
            check_interval=2,
            retries=5,
            retry_delay=timedelta(seconds=1),
            hook_params={{"timeout_seconds": {seconds}.get(state, 10), "patience": {patience}}},
        )
    globals()[dag.dag_id] = dag
'''
SETTINGS = (
    # Whoever is gone counts as dead after this, instead of after half a minute or a whole one.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=12",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL=1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC=2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD=12",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD=12",
    # Those that report and those that trigger take all there are; the queued have to wait.
    f"AIRFLOW__CORE__PARALLELISM={2 * OF_EACH}",
    "EXAMPLES=false",
)


def wait_for(fact: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.5)
    return found


def declare_jobs(file: Path) -> None:
    """Leave one job of those that are declared, once for each state."""
    declared = yaml.safe_load(file.read_text())
    job = next(iter(declared["jobs"].values()))
    declared["jobs"] = {
        state: {**job, "name": f"Flight {state}", "linked_id": job_id}
        for state, job_id in JOBS.items()
    } | {"dbt": {**job, **DBT_SEED, "name": "Flight dbt", "linked_id": DBT_JOB}}
    file.write_text(yaml.safe_dump(declared))


class Airport:
    """A stack of which everything can break, and the network between its two halves."""

    def __init__(self, folder: Path, patience: int = 60) -> None:
        root = copy_with_environments(folder / "clone")
        text = DAGS.format(
            jobs=JOBS | {"dbt": DBT_JOB},
            connection=CONNECTION,
            seconds=dict.fromkeys(("reporting", "triggering"), SECONDS_FOR_AN_ANSWER),
            patience=patience,
        )
        (root / "dags/flight.py").write_text(text)
        declare_jobs(root / "dbt_cloud_jobs.yml")
        self.stack = Stack(folder, root)
        self.stack.write(*SETTINGS)
        self.up()
        self.proxy = TcpProxy(self.stack.ports["LOCAL_DBT_CLOUD_PORT"])
        token = self.dbt_cloud.server.token
        connection = {
            "connection_id": CONNECTION,
            "conn_type": "dbt_cloud",
            "host": f"localhost:{self.proxy.port}",
            "login": str(self.dbt_cloud.connection.account_id),
            "password": token,
        }
        self.api.post("/api/v2/connections", connection)
        wait_for(self._has_dags, "the DAGs")

    def up(self, runs: str = "simulated") -> None:
        """`make up`, with made-up runs: forty real ones are for a bigger machine."""
        up = self.stack.make("up", LOCAL_DBT_CLOUD_RUNS=runs)
        assert up.returncode == 0, up.stdout + up.stderr
        self.api = AirflowApi(self.stack.airflow_url, "admin", self.stack.admin_password)
        state, port = self.stack.state, self.stack.ports["LOCAL_DBT_CLOUD_PORT"]
        token = (state / "secrets/local_dbt_cloud_token").read_text().strip()
        server = ThrowawayServer(state, port, token, None)
        self.dbt_cloud = DbtCloud(server, server.ask("GET", "/_local/jobs/")["jobs"])

    def restart(self, runs: str = "simulated") -> None:
        down = self.stack.make("down")
        assert down.returncode == 0, down.stdout + down.stderr
        self.up(runs)

    def _has_dags(self) -> bool:
        return len(self.api.get("/api/v2/dags", dag_id_pattern="flight_%")["dags"]) == len(JOBS) + 1

    def close(self) -> None:
        self.stack.make("down")
        self.proxy.close()

    def pid_of(self, component: str) -> int:
        """Postgres and the local dbt Cloud are the supervisor's, Airflow's four are forks."""
        folder = self.stack.state / "processes"
        processes = read_state(folder / "state.json")["processes"]
        if component not in processes:
            processes = read_state(folder / "airflow.json")
        return int(processes[component]["pid"] or 0)

    def ask_airflows_database(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Not through Airflow's API: forty dag runs keep it busy enough, and it may be broken."""
        with self.stack.airflow_database() as database:
            return database.execute(query, values).fetchall()

    def is_healthy(self) -> bool:
        return self.stack.make("status").returncode == 0


@dataclass
class Flight:
    """Forty dag runs. `met` is in how many of each state a fault found them."""

    airport: Airport
    dag_runs: dict[str, list[str]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    first_run: int = 0

    def take_off(self) -> "Flight":
        """Bring ten into each state, and hold them there."""
        dbt_cloud = self.airport.dbt_cloud
        self.first_run = max((run.id for run in dbt_cloud.runs), default=0) + 1
        self._slow("*/artifacts/run_results.json", SECONDS_TO_REPORT)
        self._start("reporting")
        wait_for(lambda: self._hits(0) == OF_EACH, "the reporting", SECONDS_TO_REPORT)
        dbt_cloud.hold("running")
        self._start("deferred")
        wait_for(lambda: self.states()["deferred"] == OF_EACH, "the deferred", SECONDS_TO_REPORT)
        self._slow(f"*/jobs/{JOBS['triggering']}/run/", SECONDS_TO_TRIGGER)
        self._start("triggering")
        wait_for(lambda: self._hits(1) == OF_EACH, "the triggering", SECONDS_TO_TRIGGER)
        self._start("queued")
        wait_for(lambda: sum(self.states().values()) == 4 * OF_EACH, "the queued", 10)
        self.met = self.states()
        assert (self.met["deferred"], self.met["running"]) == (OF_EACH, 2 * OF_EACH), self.met
        return self

    def land(self) -> None:
        """Let go of what is held, wait for every dag run, and see each green, by one run."""
        self.end()
        assert self.states() == {"success": 4 * OF_EACH}, self.states()
        keys = Counter(key_of(run) for run in self.runs() if run.status == "success")
        assert len(keys) == 4 * OF_EACH
        assert set(keys.values()) == {1}, keys

    def end(self) -> None:
        """Let go of what is held; nothing may run for ever, nor two runs of one key at once."""
        self.airport.dbt_cloud.stop_failing()
        self.airport.dbt_cloud.release()
        wait_for(self._has_ended, "the end of every dag run", SECONDS_TO_LAND)
        wait_for(lambda: all(run.details["is_complete"] for run in self.runs()), "dbt Cloud", 30)
        for earlier, later in pairwise(sorted(self.runs(), key=lambda run: (key_of(run), run.id))):
            if key_of(earlier) == key_of(later):
                assert earlier.status != "success", (earlier, later)
                assert later.details["created_at"] >= earlier.details["finished_at"]

    def states(self) -> Counter[str]:
        """Count the task instances by their state."""
        ids = [each for some in self.dag_runs.values() for each in some]
        query = "select coalesce(state, 'none') from task_instance where run_id = any(%s)"
        return Counter(state for (state,) in self.airport.ask_airflows_database(query, ids))

    def runs(self, state: str | None = None) -> list[Run]:
        jobs = {JOBS[state]} if state else set(JOBS.values())
        every = self.airport.dbt_cloud.runs
        return [run for run in every if run.id >= self.first_run and run.job_id in jobs]

    def _start(self, state: str) -> None:
        path = f"/api/v2/dags/flight_{state}/dagRuns"
        self.dag_runs[state] = [
            self.airport.api.post(path, {"logical_date": None})["dag_run_id"]
            for _ in range(OF_EACH)
        ]

    def _slow(self, path: str, seconds: float) -> None:
        self.airport.dbt_cloud.fail_next("slow", path=path, times=None, delay_seconds=seconds)

    def _hits(self, number: int) -> int:
        """How many requests a fault holds up."""
        faults = self.airport.dbt_cloud.server.ask("GET", "/_local/faults/")["faults"]
        return int(faults[number]["hits"])

    def _has_ended(self) -> bool:
        return not set(self.states()) - {"success", "failed"}


def key_of(run: Run) -> str:
    """Give what its cause begins with: the key of a task instance between two clears."""
    return run.cause.partition("]")[0]
