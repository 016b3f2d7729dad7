"""dbt that stays loaded does what dbt does, and leaves nothing."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from server_process import JOB, OTHER_JOB, REAL_DBT, declare, job
from test_run_queue import wait_until_dead

from local_dbt_cloud.dbt.dbt_process import Invocation
from local_dbt_cloud.dbt.warm_dbt import WarmDbt


COMMANDS = ["dbt build", "dbt docs generate", "dbt run-operation nothing"]
SLEEP = "select 1 as id, '{{ env_var(\"DBT_CLOUD_RUN_ID\") }}' as run_id from pg_sleep(600)\n"


@pytest.fixture(scope="module")
def servers(make_server, warehouse):
    """A server that keeps dbt loaded, and one that loads it for every step."""
    started = [
        make_server(
            declare(job(JOB, "Build", "dbt build"), job(OTHER_JOB, "Another", "dbt build")),
            dbt=REAL_DBT,
            **warehouse.environment(),
            LOCAL_DBT_CLOUD_WARM_DBT=warm,
        ).start()
        for warm in ("true", "false")
    ]
    yield started
    for server in started:
        server.stop()


@pytest.fixture
def sleeping(servers, warehouse):
    """A warm server with a run whose query never ends; answer both and the query's counter."""
    server = servers[0]
    model = server.folder / "project/models/one.sql"
    good = model.read_text()
    model.write_text(SLEEP)
    run = server.trigger(steps_override=["dbt run"], schema_override="sleeping")

    def count_queries():
        active = warehouse.rows("select query from pg_stat_activity where state = 'active'")
        return sum(str(run["id"]) in query and "pg_sleep" in query for (query,) in active)

    server.wait(run["id"], lambda _: count_queries() == 1)
    model.write_text(good)
    return server, run, count_queries


def descendants(pid):
    """Every process below one, with its command."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes().decode().replace("\0", " ")
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append((int(stat.parent.name), command))
    found, new = {}, [pid]
    while new:
        children = parents.get(new.pop(), [])
        found |= dict(children)
        new += [child for child, _ in children]
    return found


def loaded_below(server):
    """
    The process that keeps dbt loaded.

    Its forks have the same command, but they are no children of the server's. Not the one with the
    smallest number either: the numbers of processes begin anew when there are no more.
    """
    children = psutil.Process(server.process.pid).children()
    (loaded,) = [child.pid for child in children if "forks" in " ".join(child.cmdline())]
    return loaded


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def normalised(text):
    """Without what differs between any two runs: ids, times, folders, random names."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", text)
    text = re.sub(r"(?m)^\d\d:\d\d:\d\d(\.\d+)?", "TIME", text)
    text = re.sub(r"\d+\.\d+s?\b|\d+ seconds", "SECONDS", text)
    text = re.sub(r"/\S*/runs/\d+/", "RUN/", text)
    text = re.sub(r"\d{14}", "RUN_ID", text)
    return re.sub(r"Thread-\d+", "THREAD", text)


def without_noise(value):
    """An artifact without what differs between any two runs."""
    noise = {"timing", "thread_id", "execution_time", "elapsed_time", "generated_at", "created_at"}
    noise |= {"invocation_started_at", "run_started_at"}
    if isinstance(value, dict):
        return {key: without_noise(each) for key, each in value.items() if key not in noise}
    if isinstance(value, list):
        return [without_noise(each) for each in value]
    return normalised(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def pair(servers):
    """The same commands, of which the last fails, as a run on each server."""
    runs = [server.trigger(steps_override=COMMANDS)["id"] for server in servers]
    return [server.finish(run) for server, run in zip(servers, runs, strict=True)]


class TestSameAsPlain:
    def test_ends(self, pair):
        """The same steps succeed and fail, with the same words."""
        warm, plain = (
            [run["status_message"], *((step["name"], step["status"]) for step in run["run_steps"])]
            for run in pair
        )

        assert warm[-1] == ("Invoke dbt with `dbt run-operation nothing`", 20)
        assert warm == plain

    def test_logs(self, pair):
        """The console says the same, line by line; the debug log comes from every step."""
        warm, plain = (
            [sorted(normalised(step["logs"]).splitlines()) for step in run["run_steps"][2:]]
            for run in pair
        )

        assert warm == plain
        assert all(step["debug_logs"] for step in pair[0]["run_steps"][2:])

    @pytest.mark.parametrize(
        ("step", "name"), [(4, "manifest.json"), (4, "run_results.json"), (5, "catalog.json")]
    )
    def test_artifacts(self, servers, pair, step, name):
        """Artifacts are equal but for ids and times."""
        warm, plain = (
            without_noise(
                server.request(
                    "GET", f"v2/runs/{run['id']}/artifacts/{name}", params={"step": step}
                ).json()
            )
            for server, run in zip(servers, pair, strict=True)
        )
        if name == "run_results.json":
            for results in (warm, plain):
                results["results"].sort(key=lambda result: result["unique_id"])

        assert warm == plain


class TestSeparation:
    def test_a_run_sees_only_its_own_process_environment(self, servers):
        """Each run's variables are its own, also where an earlier run has parsed the project."""
        server = servers[0]
        model = server.folder / "project/models/who.sql"
        model.write_text("select '{{ env_var(\"DBT_CLOUD_RUN_ID\") }}' as run_id\n")
        try:
            for _ in range(2):
                run = server.finish(server.trigger(steps_override=["dbt compile -s who"])["id"])
                path = f"v2/runs/{run['id']}/artifacts/compiled/tiny/models/who.sql"

                assert run["status"] == 10, run["status_message"]
                assert f"'{run['id']}'" in server.request("GET", path).text
        finally:
            model.unlink()

    def test_another_target_is_parsed_anew(self, servers):
        """What depends on the target's name follows the override, not the earlier run."""
        server = servers[0]
        model = server.folder / "project/models/ci.sql"
        model.write_text("{{ config(enabled=target.name == 'ci') }} select 1 as id\n")
        try:
            names = [
                [result["unique_id"] for result in results(server, target_name_override=target)]
                for target in ("default", "ci", "default")
            ]
        finally:
            model.unlink()

        assert ["model.tiny.ci" in each for each in names] == [False, True, False]

    def test_no_secret_in_the_loaded_process(self, servers, warehouse):
        """The process that steps are forked from knows neither password nor token."""
        server = servers[0]
        server.finish(server.trigger(steps_override=["dbt ls"])["id"])
        environ = Path(f"/proc/{loaded_below(server)}/environ").read_bytes().decode()

        assert "PATH=" in environ
        assert warehouse.password not in environ
        assert server.token not in environ


def results(server, **trigger):
    run = server.finish(server.trigger(steps_override=["dbt compile"], **trigger)["id"])
    assert run["status"] == 10, run["status_message"]
    path = f"v2/runs/{run['id']}/artifacts/run_results.json"
    return server.request("GET", path).json()["results"]


class TestDeath:
    def test_cancel_ends_the_query(self, sleeping):
        """A cancelled run's dbt cancels its query before it ends."""
        server, run, queries = sleeping
        server.request("POST", f"v2/runs/{run['id']}/cancel/")

        assert wait_until(lambda: queries() == 0)
        assert wait_until(lambda: len(descendants(server.process.pid)) == 1)

    def test_the_loaded_process_is_killed(self, sleeping):
        """A step goes on without the process it came from; the next one gets a new one."""
        server, run, queries = sleeping
        os.kill(loaded_below(server), signal.SIGKILL)
        other = server.finish(server.trigger(OTHER_JOB, steps_override=["dbt ls"])["id"])
        still = queries()
        server.request("POST", f"v2/runs/{run['id']}/cancel/")

        assert other["status"] == 10, other["status_message"]
        assert still == 1
        assert "starting another" in server.log
        assert wait_until(lambda: queries() == 0)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_nothing_outlives_the_server(self, sleeping, number):
        """However the server ends: the loaded process, the guard and dbt end with it."""
        server, _, _ = sleeping
        # The loaded process may be a new one, which was not there when the run began.
        wait_until(lambda: len(descendants(server.process.pid)) == 3)
        below = descendants(server.process.pid)
        server.stop(number)
        left = {pid for pid in below if not wait_until_dead(pid)}
        server.start()

        assert len(below) == 3, below
        assert left == set()


class TestFallback:
    def test_an_environment_that_cannot_be_loaded(self, tmp_path, caplog):
        """Where dbt cannot be imported, its program is started for every step; a line says why."""
        (tmp_path / "python").symlink_to(sys.executable)
        dbt = tmp_path / "dbt"
        dbt.write_text("#!/bin/sh\necho plain $1\n")
        dbt.chmod(0o755)
        warm = WarmDbt(dbt, ("nowhere",))
        invocation = Invocation(["build"], tmp_path, dict(os.environ), tmp_path / "log")
        code = warm.start(invocation).wait()
        warm.close()

        assert (code, invocation.log.read_text()) == (0, "plain build\n")
        assert wait_until(lambda: "the process that keeps dbt loaded ended with 1" in caplog.text)
        assert "ModuleNotFoundError" in caplog.text
