"""A real Airflow, of which everything is killed, and every button pressed that ends a task."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from chokepoint import Chokepoint
from native_stack import Stack
from repository_copy import copy_with_environments
from server_process import (
    ACCOUNT,
    JOB,
    OTHER_JOB,
    PROJECT,
    TOKEN,
    declare,
    job,
    prepare_server,
)

from local_airflow.base.state_file import read_state
from local_airflow.stack.airflow_api import AirflowApi


SUCCESS, ERROR, CANCELLED = 10, 20, 30
TRIGGER, LOOK, CANCEL = r"POST .*/jobs/\d+/run/", r"GET .*/runs/\?pk__in", r"POST .*/cancel/"
ENDED = "order_by=-finished_at"
# One file with a DAG for each job and mode.
DAGS = '''"""### Written by test_kills.py. Red: a test failed."""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset

from airflow_dbt_cloud.watching.job_watch import watch_job
from airflow_dbt_cloud.operator import DbtCloudJobOperator


for name, job_id in {{"quick": {quick}, "hold": {hold}}}.items():
    for mode in ("deferrable", "sync"):
        dag_id = f"end_to_end_{{name}}_{{mode}}"
        with DAG(dag_id, schedule=None, tags=["test"], doc_md=__doc__) as dag:
            DbtCloudJobOperator(
                task_id="build",
                job_id=job_id,
                deferrable=mode == "deferrable",
                retries=3,
                retry_delay=timedelta(seconds=0),
            )
        globals()[dag_id] = dag

watcher = watch_job("quick", {quick}, poll_interval=1)
schedule = Asset("end_to_end_quick", watchers=[watcher])
with DAG("end_to_end_watch", schedule=schedule, tags=["test"], doc_md=__doc__):
    EmptyOperator(task_id="started", retries=1)
'''


class World:
    """Airflow, dbt Cloud, and the chokepoint between the two."""

    def __init__(self, folder: Path) -> None:
        root = copy_with_environments(folder / "clone")
        (root / "dags/end_to_end_kills.py").write_text(DAGS.format(quick=JOB, hold=OTHER_JOB))
        self.stack = Stack(folder, root)
        tls = self.stack.state / "tls"
        self.dbt_cloud = prepare_server(
            folder,
            declare(
                job(JOB, "Quick", "dbt build"),
                job(OTHER_JOB, "Hold", "dbt build --select hold"),
                run_slots=4,
            ),
            LOCAL_DBT_CLOUD_TLS=str(tls),
        )
        (folder / "tls").symlink_to(tls)
        self.dbt_cloud.start()
        self.chokepoint = Chokepoint(tls, self.dbt_cloud.port)
        self.thread = threading.Thread(target=self.chokepoint.serve_forever, daemon=True)
        self.thread.start()
        port = self.chokepoint.server_address[1]
        url = f"https://localhost:{port}/deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{JOB}"
        self.stack.write(
            f"DBT_CLOUD_JOB_URL={url}",
            f"DBT_CLOUD_API_TOKEN={TOKEN}",
            # A task whose worker is gone counts as dead after this, instead of after a minute.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=8",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL=1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC=2",
            # And a scheduler or a triggerer, instead of after half a minute.
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD=12",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD=12",
            AIRFLOW_PORT=self.stack.ports["AIRFLOW_PORT"],
        )
        up = self.stack.make("up")
        assert up.returncode == 0, up.stdout + up.stderr
        self.api = AirflowApi(self.stack.airflow_url, "admin", self.stack.admin_password)
        self.wait_for(self.has_dags, "the DAGs")

    def has_dags(self) -> bool:
        dags = self.api.get("/api/v2/dags", dag_id_pattern="end_to_end_%")["dags"]
        return len(dags) == 5

    def stop(self) -> None:
        self.stack.make("down")
        self.chokepoint.shutdown()
        self.chokepoint.server_close()
        self.thread.join()
        if self.dbt_cloud.process.poll() is None:
            self.dbt_cloud.stop(signal.SIGKILL)

    def wait_for(self, condition, what, seconds=180, every=0.1):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            time.sleep(every)
        return found

    def pid_of(self, component: str) -> int:
        return read_state(self.stack.state / "processes" / "airflow.json")[component]["pid"]

    def kill(self, component: str) -> None:
        os.kill(self.pid_of(component), signal.SIGKILL)

    def kill_group(self, component: str) -> None:
        os.killpg(self.pid_of(component), signal.SIGKILL)

    def restart_dbt_cloud(self) -> None:
        os.kill(self.dbt_cloud.process.pid, signal.SIGKILL)
        self.dbt_cloud.process.wait()
        self.dbt_cloud.client.close()
        self.dbt_cloud.start()

    def runs(self, job_id=JOB, newer_than=0):
        found = self.dbt_cloud.get(
            "v2/runs/",
            job_definition_id=job_id,
            order_by="-id",
            limit=10,
            include_related="trigger",
        )
        return [run for run in reversed(found) if run["id"] > newer_than]


class Task:
    """One dag_run of one of the DAGs, and its only task."""

    def __init__(self, world: World, dag_id: str) -> None:
        self.world, self.dag_id = world, f"end_to_end_{dag_id}"
        self.job_id = OTHER_JOB if "hold" in dag_id else JOB
        self.before = max([run["id"] for run in world.runs(self.job_id)], default=0)
        world.chokepoint.requests.clear()

    def start(self):
        body = {"logical_date": None}
        self.dag_run = self.world.api.post(f"/api/v2/dags/{self.dag_id}/dagRuns", body)
        return self

    @property
    def path(self):
        return f"/api/v2/dags/{self.dag_id}/dagRuns/{self.dag_run['dag_run_id']}"

    @property
    def runs(self):
        return self.world.runs(self.job_id, newer_than=self.before)

    def state(self):
        try:
            return self.world.api.get(f"{self.path}/taskInstances/build")["state"]
        except Exception:  # noqa: BLE001 # the api-server may be what was killed
            return None

    def wait(self, *states, seconds=240):
        return self.world.wait_for(
            lambda: (found := self.state()) in states and found, f"{self.dag_id} {states}", seconds
        )

    def wait_until_it_has_a_run(self):
        """Wait until Airflow knows the run too: the answer to the trigger has been worked off."""
        path = f"{self.path}/taskInstances/build/xcomEntries"
        self.world.wait_for(
            lambda: any(e["key"] == "job_run_id" for e in self.world.api.get(path)["xcom_entries"]),
            "the run",
        )

    def clear(self):
        body = {
            "dry_run": False,
            "dag_run_id": self.dag_run["dag_run_id"],
            "task_ids": ["build"],
            "only_failed": False,
        }
        self.world.api.post(f"/api/v2/dags/{self.dag_id}/clearTaskInstances", body)

    def log(self):
        entries = []
        for number in range(1, 5):
            try:
                answer = self.world.api.get(f"{self.path}/taskInstances/build/logs/{number}")
            except Exception:  # noqa: BLE001 # fewer tries than four
                break
            entries += [str(entry.get("event")) for entry in answer["content"]]
        return "\n".join(entries)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("kills"))
    yield world
    world.stop()
    assert world.stack.processes() == {}


KILLS = {
    "the worker": lambda world: lambda sender: os.kill(sender, signal.SIGKILL),
    "the scheduler": lambda world: lambda _: world.kill("scheduler"),
    "the scheduler and its workers": lambda world: lambda _: world.kill_group("scheduler"),
    "the api-server": lambda world: lambda _: world.kill("api-server"),
}


class TestExactlyOnce:
    @pytest.mark.parametrize("who", KILLS)
    def test_killed_when_the_run_was_just_triggered(self, world, who):
        """
        dbt Cloud has started the run, and its answer reaches nobody: still there is one run.

        The moment is exact: it is the answer to the POST that is held until the kill has happened.
        """
        task = Task(world, "quick_deferrable")
        blow = world.chokepoint.strike_at(TRIGGER, KILLS[who](world), after=True)

        task.start().wait("success")

        assert blow.has_fallen.is_set()
        assert [run["status"] for run in task.runs] == [SUCCESS]

    def test_killed_triggerer(self, world):
        """The triggerer dies in the middle of a look, and the next one waits for the same run."""
        task = Task(world, "quick_deferrable")
        kill = lambda sender: os.kill(sender, signal.SIGKILL)  # noqa: E731 # as in the table above
        blow = world.chokepoint.strike_at(LOOK, kill, after=False)

        task.start().wait("success")

        assert blow.has_fallen.is_set()
        assert [run["status"] for run in task.runs] == [SUCCESS]

    @pytest.mark.parametrize("mode", ["deferrable", "sync"])
    def test_killed_dbt_cloud(self, world, mode):
        """dbt Cloud dies with the run that it just accepted: never are there two at once."""
        task = Task(world, f"quick_{mode}")
        blow = world.chokepoint.strike_at(TRIGGER, lambda _: world.restart_dbt_cloud(), after=True)

        task.start().wait("success")

        *dead, last = [run["status"] for run in task.runs]
        assert blow.has_fallen.is_set()
        assert last == SUCCESS
        assert dead in ([], [ERROR])


class TestUpgradeInFlight:
    def test_deferred_by_an_earlier_release(self, world):
        """A task whose trigger is stored at the path that its class had before ends green."""
        triggerer = world.pid_of("triggerer")
        os.killpg(triggerer, signal.SIGSTOP)
        task = Task(world, "quick_deferrable").start()
        task.wait("deferred")
        with world.stack.airflow_database() as database:
            moved = database.execute(
                "update trigger set classpath = 'include.dbt_cloud.trigger.DbtCloudRunTrigger'"
                " where classpath = 'airflow_dbt_cloud.waiting.trigger.DbtCloudRunTrigger'"
            ).rowcount
        world.kill_group("triggerer")

        task.wait("success")

        assert moved == 1
        assert [run["status"] for run in task.runs] == [SUCCESS]


class TestEndedByAPerson:
    @pytest.mark.parametrize("mode", ["deferrable", "sync"])
    @pytest.mark.parametrize("what", ["task", "dag_run"])
    def test_marked_failed(self, world, mode, what):
        """A task or a dag_run that is marked failed ends its run: itself, once, and says so."""
        task = Task(world, f"hold_{mode}").start()
        task.wait_until_it_has_a_run()
        if mode == "deferrable":
            world.wait_for(lambda: world.chokepoint.count(LOOK), "the triggerer")

        if what == "task":
            world.api.patch(f"{task.path}/taskInstances/build", {"new_state": "failed"})
        else:
            world.api.patch(task.path, {"state": "failed"})

        world.wait_for(lambda: task.runs[0]["is_cancelled"], "the end of the run")
        world.wait_for(lambda: "Cancelled dbt Cloud run" in task.log(), "the log")
        assert world.chokepoint.count(CANCEL) == 1

    def test_marked_failed_while_nobody_has_the_task(self, world):
        """With no triggerer at work, the API server itself ends the run, a little later."""
        triggerer = world.pid_of("triggerer")
        os.killpg(triggerer, signal.SIGSTOP)
        try:
            task = Task(world, "hold_deferrable").start()
            task.wait("deferred")

            world.api.patch(f"{task.path}/taskInstances/build", {"new_state": "failed"})

            world.wait_for(lambda: task.runs[0]["is_cancelled"], "the end of the run")
        finally:
            os.killpg(triggerer, signal.SIGCONT)

    @pytest.mark.parametrize("mode", ["deferrable", "sync"])
    def test_cleared(self, world, mode):
        """A Clear ends the run, and the task's next generation has another."""
        task = Task(world, f"hold_{mode}").start()
        task.wait_until_it_has_a_run()
        if mode == "deferrable":
            world.wait_for(lambda: world.chokepoint.count(LOOK), "the triggerer")

        task.clear()
        world.wait_for(lambda: len(task.runs) == 2, "the second run")

        first, second = task.runs
        assert first["is_cancelled"]
        keys = [run["trigger"]["cause"].partition("]")[0] for run in (first, second)]
        assert [key.rpartition(".")[2] for key in keys] == ["1", "2"]
        world.api.patch(task.path, {"state": "failed"})
        world.wait_for(lambda: task.runs[1]["is_cancelled"], "the end of the run")

    def test_cleared_when_its_worker_is_dead(self, world):
        """Airflow counts that Clear as a retry: the next try goes on with the run that is there."""
        task = Task(world, "hold_sync").start()
        task.wait_until_it_has_a_run()
        world.wait_for(lambda: task.state() == "running", "the task")
        world.kill_group("scheduler")

        task.clear()
        world.wait_for(lambda: "is this task's own" in task.log(), "the next try")

        assert [run["is_cancelled"] for run in task.runs] == [False]
        world.api.patch(task.path, {"state": "failed"})
        world.wait_for(lambda: task.runs[0]["is_cancelled"], "the end of the run")


class TestWatcher:
    """What the watcher has fired stands in Airflow's database, where the moment can be seen."""

    @pytest.fixture
    def database(self, world):
        with world.stack.airflow_database() as connection:
            yield connection

    @pytest.fixture
    def told(self, database):
        """Give the runs whose end Airflow has an event of, one for each event."""
        query = "select extra::json->'payload'->>'dbt_cloud_run_id' from asset_event order by id"
        return lambda: [int(run_id) for (run_id,) in database.execute(query)]

    @pytest.fixture
    def somebody(self, world, told):
        """Let a person's run end; first see that the watcher is at work."""
        looks = world.chokepoint.count(ENDED)
        world.wait_for(lambda: world.chokepoint.count(ENDED) > looks, "the watcher")
        return lambda: world.dbt_cloud.finish(world.dbt_cloud.trigger(JOB, cause="a person")["id"])[
            "id"
        ]

    def settled(self, world, told, expected):
        """Wait for the events, and then for looks enough to fire once more."""
        world.wait_for(lambda: len(told()) >= len(expected), "the event")
        looks = world.chokepoint.count(ENDED)
        world.wait_for(lambda: world.chokepoint.count(ENDED) > looks + 2, "more looks")
        assert told() == expected
        # The scheduler takes its time to start what an event is for.
        path = "/api/v2/dags/end_to_end_watch/dagRuns"
        count = lambda: world.api.get(path)["total_entries"]  # noqa: E731 # said twice
        world.wait_for(lambda: count() >= len(expected), "the dag_runs")
        assert count() == len(expected)

    def test_killed_when_the_event_was_just_written(self, world, told, somebody):
        """The event is not fired again, and a run that ends with no triggerer is not lost."""
        before = told()
        run_id = somebody()
        world.wait_for(lambda: told() != before, "the event", every=0.001)
        world.kill_group("triggerer")

        meanwhile = somebody()

        self.settled(world, told, [*before, run_id, meanwhile])

    def test_killed_before_the_event_was_written(self, world, told, somebody, database):
        """The event that was fired and not written is fired again: the run is told, once."""
        before = told()
        waiting = "select 1 from pg_locks where relation = 'asset_event'::regclass and not granted"
        with world.stack.airflow_database(autocommit=False) as holder:
            holder.execute("lock table asset_event in share mode")
            run_id = somebody()
            world.wait_for(lambda: database.execute(waiting).fetchall(), "the attempt to write")
            world.kill_group("triggerer")

        self.settled(world, told, [*before, run_id])


class TestMakeDown:
    def test_ends_the_runs(self, world):
        """`make down` ends what dbt Cloud still does for Airflow, in both modes, and says so."""
        tasks = [Task(world, f"hold_{mode}") for mode in ("deferrable", "sync")]
        for task in tasks:
            task.start()
        for task in tasks:
            task.wait_until_it_has_a_run()
        tasks[0].wait("deferred")

        down = world.stack.make("down")

        runs = tasks[0].runs
        assert [run["status"] for run in runs] == [CANCELLED, CANCELLED]
        for run in runs:
            assert f"its dbt Cloud run {run['id']} is Cancelled" in down.stdout
