"""Several workers, two schedulers, two triggerers: `make up EXECUTOR=celery WORKERS=3`."""

from collections import Counter

import pytest
from container_clone import knows, wait_until


DAG_RUNS = 30
WORKERS = 3
DAG = '''"""Written by a test: a task that says where it ran."""
from airflow.sdk import dag, task


@dag(max_active_runs=30)
def where():
    @task
    def ran_on():
        import socket, time
        time.sleep(3)
        return socket.gethostname()

    ran_on()


where()
'''


@pytest.fixture(scope="module")
def celery(make_clone):
    clone = make_clone("celery")
    (clone.folder / "dags" / "where.py").write_text(DAG)
    up = clone.make("up", "--executor", "celery", "--workers", str(WORKERS))
    assert up.returncode == 0, up.stdout + up.stderr
    yield clone
    clone.remove()


def capabilities(container):
    """The bounding set of its first process, in hexadecimal."""
    said = container.exec_run(["grep", "^CapBnd:", "/proc/1/status"]).output.decode()
    return said.split()[1]


class TestCelery:
    def test_everything_is_there_and_nothing_is_published(self, engine, celery):
        """Three workers, two schedulers, two triggerers, all healthy; the broker has no port."""
        found = engine.containers.list(
            filters={"label": f"com.docker.compose.project={celery.project}"}
        )
        services = Counter(each.labels["com.docker.compose.service"] for each in found)
        health = {each.attrs["State"]["Health"]["Status"] for each in found}

        assert services["worker"] == WORKERS
        assert (services["scheduler"], services["triggerer"], services["valkey"]) == (2, 2, 1)
        assert health == {"healthy"}
        assert [
            each.name
            for each in found
            if each.labels["com.docker.compose.service"] in {"valkey", "worker"}
            and any(each.ports.values())
        ] == []
        assert celery.make("status").returncode == 0

    def test_the_broker_lets_nobody_in_without_its_password(self, engine, celery):
        """Valkey asks for a password, which is in no container's description."""
        label = {"label": f"com.docker.compose.project={celery.project}"}
        found = {
            each.labels["com.docker.compose.service"]: each
            for each in engine.containers.list(filters=label)
        }
        valkey = found["valkey"]
        password = valkey.exec_run(["cat", "/run/secrets/own/password"]).output.decode()

        assert b"NOAUTH" in valkey.exec_run(["valkey-cli", "ping"]).output
        assert len(password) > 60
        assert [name for name, each in found.items() if password in str(each.attrs)] == []
        # It can be changed by nobody who is in the container.
        assert valkey.attrs["HostConfig"]["ReadonlyRootfs"] is True
        assert int(capabilities(valkey), 16) == 0

    def test_thirty_dag_runs_are_spread_over_the_workers(self, celery):
        """Thirty dag runs at once all succeed, and every worker has run some of them."""
        api = celery.api()
        wait_until(lambda: knows(api, "/api/v2/dags/where"), 180, "the DAG")
        for number in range(DAG_RUNS):
            body = {"logical_date": None, "dag_run_id": f"run-{number}"}
            api.post("/api/v2/dags/where/dagRuns", body)

        def ended():
            runs = api.get("/api/v2/dags/where/dagRuns", limit=100)["dag_runs"]
            states = Counter(run["state"] for run in runs)
            return states if states["success"] + states["failed"] == DAG_RUNS else None

        assert wait_until(ended, 400, "the end of all dag runs") == {"success": DAG_RUNS}
        path = "/api/v2/dags/where/dagRuns/~/taskInstances"
        ran = Counter(task["hostname"] for task in api.get(path, limit=100)["task_instances"])
        print(f"dag runs by worker: {sorted(ran.values())}")
        assert sum(ran.values()) == DAG_RUNS
        assert len(ran) == WORKERS

    def test_sample_dag_is_green_with_a_worker(self, celery):
        """The sample DAG, its trigger in one of two triggerers, is proven as on one machine."""
        run = celery.make("run", "dbt_cloud_job")

        assert run.returncode == 0, run.stdout + run.stderr
