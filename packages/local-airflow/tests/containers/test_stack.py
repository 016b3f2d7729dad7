"""The whole stack in containers, through the commands that people type."""

import os
import re
import socket
import time

import docker
import pytest
import trustme
from container_clone import SOMEBODY, health, knows, wait_until
from repository_copy import ROOT


RUNNING = {"api-server", "scheduler", "dag-processor", "triggerer", "local-dbt-cloud", "postgres"}
BEATING = {"scheduler", "dag-processor", "triggerer"}
ACCOUNT = (
    "DBT_CLOUD_JOB_URL=https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN=dbtc_token",
)
DAG = '''"""Written by a test."""
from airflow.sdk import DAG

with DAG("written_by_a_test"):
    pass
'''

# Kills or stops the component itself, not the init process above it.
SIGNAL = (
    "for process in /proc/[0-9]*; do"
    " if tr '\\0' ' ' <$process/cmdline 2>/dev/null | grep -q 'airflow'; then"
    " [ $process = /proc/1 ] || [ $process = /proc/$$ ]"
    " || kill -{} ${{process#/proc/}} 2>/dev/null; fi; done; true"
)

# A server with a certificate of its own, called as the provider's tasks call dbt Cloud.
CALL_A_SERVER = """
import http.server, ssl, sys, tempfile, threading, requests
with tempfile.NamedTemporaryFile("w") as identity:
    identity.write(sys.argv[1])
    identity.flush()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.name)
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
requests.head(f"https://localhost:{server.server_port}/", timeout=10)
print("trusted")
"""


def signal(container, name):
    done = container.exec_run(["bash", "-c", SIGNAL.format(name)])
    assert done.exit_code == 0, done.output


class TestUp:
    def test_says_which_mode_and_where_to_click(self, stack):
        """The first line names the mode and the reason; the last ones say where everything is."""
        assert stack.up_said.startswith("mode: docker, as .env says")
        assert f"http://localhost:{stack.settings['AIRFLOW_PORT']}" in stack.up_said
        assert "connection dbt_cloud_default" in stack.up_said
        assert stack.password() in stack.up_said

    def test_every_service_is_healthy(self, stack, containers):
        """`make up` returns only when every service's own health check is content."""
        assert {name for name in containers if health(containers[name]) == "healthy"} == RUNNING
        assert stack.make("status").returncode == 0

    def test_connection_is_there(self, stack):
        """The connection is visible in Airflow, and points to the local dbt Cloud's container."""
        connection = stack.api().get("/api/v2/connections/dbt_cloud_default")

        assert connection["conn_type"] == "dbt_cloud"
        assert connection["host"] == "local-dbt-cloud:8443"

    def test_sample_dag_is_green_on_both_sides(self, stack):
        """`make run` proves that Airflow and dbt Cloud agree; its links open on this machine."""
        run = stack.make("run", "dbt_cloud_job")

        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.count("✓") >= 3
        assert "✗" not in run.stdout
        assert f"https://localhost:{stack.settings['LOCAL_DBT_CLOUD_PORT']}/deploy/" in run.stdout

    @pytest.mark.parametrize("dag_id", ["flight_delays", "dbt_core_cosmos"])
    def test_dags_with_an_environment_of_their_own_are_green(self, stack, dag_id):
        """dbt and scikit-learn are in the image, and the warehouse and the files are reached."""
        run = stack.make("run", dag_id)

        assert run.returncode == 0, run.stdout + run.stderr

    def test_an_edit_is_visible_at_once(self, stack):
        """A new DAG file is in Airflow within a minute; left to itself, Airflow would take five."""
        api, file = stack.api(), stack.folder / "dags" / "written_by_a_test.py"
        file.write_text(DAG)
        started = time.monotonic()
        wait_until(lambda: knows(api, "/api/v2/dags/written_by_a_test"), 60, "the new DAG")
        took = time.monotonic() - started
        file.unlink()
        # The five seconds that are promised are for a quiet machine.
        print(f"an edit was visible after {took:.1f} s")


class TestSafety:
    def test_nothing_listens_beyond_this_machine(self, containers):
        """Every published port is bound to 127.0.0.1."""
        bindings = [
            binding["HostIp"]
            for container in containers.values()
            for ports in container.attrs["HostConfig"]["PortBindings"].values()
            for binding in ports
        ]

        assert len(bindings) == 3
        assert set(bindings) == {"127.0.0.1"}

    def test_mounts_of_the_host_are_read_only(self, containers):
        """No container can write to this folder."""
        writable = {
            (name, mount["Source"])
            for name, container in containers.items()
            for mount in container.attrs["Mounts"]
            if mount["Type"] == "bind" and mount["RW"]
        }

        assert writable == set()

    def test_airflow_is_not_root(self, stack, containers):
        """Airflow and dbt run as whoever typed `make up`; as root's clone, as the image's user."""
        users = {
            name: containers[name].exec_run(["id", "-u"]).output.decode().strip()
            for name in RUNNING - {"postgres"}
        }

        expected = SOMEBODY if os.geteuid() == 0 else os.geteuid()
        assert set(users.values()) == {str(expected)}

    def test_memory_and_logs_are_bounded(self, containers):
        """Every container has a memory limit and keeps a bounded log."""
        for container in containers.values():
            host = container.attrs["HostConfig"]
            assert host["Memory"] > 0
            assert host["LogConfig"]["Config"]["max-size"] == "10m"

    def test_no_secret_is_seen(self, engine, stack, containers):
        """No secret is in an image, its history, a container's description, or any log."""
        archive = stack.compose("cp", "secrets:/run/secrets/clone", str(stack.home / "secrets"))
        assert archive.returncode == 0, archive.stderr
        secrets = [
            file.read_text()
            for file in (stack.home / "secrets").iterdir()
            if file.name != "bundle.pem"
        ]
        assert len(secrets) >= 8
        images = {container.image.id: container.image for container in containers.values()}
        shown = [str(image.attrs) + str(image.history()) for image in images.values()]
        shown += [str(container.attrs) for container in containers.values()]
        shown += [container.logs().decode() for container in containers.values()]

        assert [secret for secret in secrets for text in shown if secret in text] == []

    def test_images_hold_no_env_file(self, engine, containers):
        """Neither `.env` nor anything of `.local` went into an image."""
        for service in ("scheduler", "local-dbt-cloud"):
            found = engine.containers.run(
                containers[service].image.id,
                ["find", "/", "-xdev", "(", "-name", ".env", "-o", "-name", ".local", ")",
                 "-not", "-path", "/home/airflow/*", "-not", "-path", "/proc/*"],
                entrypoint=[],
                user="0",
                remove=True,
                stderr=False,
            )  # fmt: skip
            assert found.decode().split() == []


class TestDailyLoop:
    def test_shell_has_airflow(self, stack):
        """What `make shell` opens has the metadata database and the DAGs' imports."""
        program = "import airflow_dbt_cloud, airflow; print(airflow.__version__)"
        shell = stack.make("shell", "python", "--", "-c", program)

        assert shell.returncode == 0, shell.stderr
        assert shell.stdout.strip().endswith("3.3.2")

    def test_dag_test_runs_the_dag(self, stack):
        """`make dag-test` runs the sample DAG in one process, its deferred task included."""
        test = stack.make("dag-test", "dbt_cloud_job")

        assert test.returncode == 0, (test.stdout + test.stderr)[-3000:]
        assert "state=success" in test.stdout + test.stderr

    def test_debugger_is_refused(self, stack):
        """A port in a container is published for every user of the machine: it says what works."""
        refused = stack.make("dag-test", "dbt_cloud_job", "--debug", "1")

        assert refused.returncode == 1
        assert "a debugger needs MODE=native" in refused.stderr

    def test_psql_opens_both_databases(self, stack):
        """`make psql` asks the warehouse, DB=airflow the metadata."""
        count = "select count(*) from raw.flights"
        assert "27004" in stack.make("psql", "warehouse", stdin=count).stdout

        connections = "select conn_id from connection"
        assert "dbt_cloud_default" in stack.make("psql", "airflow", stdin=connections).stdout

    def test_restart_replaces_the_process(self, stack, containers):
        """`make restart S=triggerer` starts that part anew, and only that."""
        before = {name: each.attrs["State"]["StartedAt"] for name, each in containers.items()}
        assert stack.make("restart", "triggerer").returncode == 0
        for container in containers.values():
            container.reload()

        after = {name: each.attrs["State"]["StartedAt"] for name, each in containers.items()}
        assert {name for name in before if before[name] != after[name]} == {"triggerer"}

    def test_logs_include_the_migration(self, stack):
        """`make logs S=migrate` shows what the migration said, though it has ended."""
        assert "Database migration done!" in stack.make("logs", "--service", "migrate").stdout
        assert "there is no service" in stack.make("logs", "--service", "nobody").stderr


class TestHealth:
    def test_a_component_that_hangs_is_unhealthy(self, stack, containers):
        """A process that is alive and does nothing is named by `make status`, and may come back."""
        names = {*BEATING, "api-server"}
        wait_until(
            lambda: all(health(containers[name]) == "healthy" for name in names), 240, "health"
        )
        for name in names:
            signal(containers[name], "STOP")
        try:
            wait_until(
                lambda: all(health(containers[name]) == "unhealthy" for name in names),
                300,
                f"the verdict on {names}",
            )
            status = stack.make("status")
            assert status.returncode == 1
            for name in names:
                assert re.search(rf"^{name} +unhealthy", status.stdout, re.MULTILINE)
                assert f"{name}: unhealthy" in status.stdout
        finally:
            for name in names:
                signal(containers[name], "CONT")
        wait_until(
            lambda: all(health(containers[name]) == "healthy" for name in names), 300, "recovery"
        )

    def test_a_component_that_dies_is_started_again(self, containers):
        """A killed scheduler is back without anybody's help."""
        scheduler = containers["scheduler"]
        scheduler.reload()
        restarts = scheduler.attrs["RestartCount"]
        signal(scheduler, "KILL")

        def is_back():
            scheduler.reload()
            return scheduler.attrs["RestartCount"] > restarts and health(scheduler) == "healthy"

        wait_until(is_back, 300, "the scheduler's return")


class TestStopAndStart:
    def test_snapshot_can_be_brought_back(self, stack):
        """What was done after a snapshot is undone by bringing it back, in both databases."""
        taken = stack.make("snapshot", "before")
        assert taken.returncode == 0, taken.stderr
        stack.make("psql", "warehouse", stdin="drop table raw.flights cascade")
        stack.make("psql", "airflow", stdin="delete from dag_run")

        restored = stack.make("restore", "before", stdin="yes\n")

        assert restored.returncode == 0, restored.stdout + restored.stderr
        count = "select count(*) from raw.flights"
        assert "27004" in stack.make("psql", "warehouse", stdin=count).stdout
        assert stack.api().get("/api/v2/dags/dbt_cloud_job/dagRuns")["total_entries"] >= 1
        assert stack.make("snapshot", "before").returncode == 1

    def test_state_outlives_down(self, engine, stack):
        """After `make down` nothing runs; plain `docker compose up --wait` finds all as it was."""
        password = stack.password()
        before = stack.api().get("/api/v2/dags/dbt_cloud_job/dagRuns")["total_entries"]
        # Whatever somebody has done to .env meanwhile; Compose could not read it either.
        stack.write_settings("export A=1", "B='", AIRFLOW_PORT="http")
        down = stack.make("down")
        stack.write_settings()
        assert (down.returncode, down.stdout) == (0, "stopped\n")
        assert "line 5 cannot be read" in down.stderr
        assert "stopping all the same" in down.stderr
        label = {"label": f"com.docker.compose.project={stack.project}"}
        assert engine.containers.list(all=True, filters=label) == []
        assert stack.make("status").returncode == 3
        assert "Database migration done!" in stack.make("logs", "--service", "migrate").stdout

        plain = stack.compose("up", "--wait", "--quiet-pull")

        assert plain.returncode == 0, plain.stderr[-3000:]
        assert stack.password() == password
        assert stack.api().get("/api/v2/dags/dbt_cloud_job/dagRuns")["total_entries"] == before
        assert stack.make("up").returncode == 0

    def test_edit_of_env_moves_to_the_account_and_back(self, engine, stack):
        """A token in .env and `make up`: the connection is the account's, nothing local is left."""
        stack.write_settings(*ACCOUNT)
        assert stack.make("up").returncode == 0
        account = stack.api().get("/api/v2/connections/dbt_cloud_default")
        label = {"label": f"com.docker.compose.project={stack.project}"}
        services = {
            each.labels["com.docker.compose.service"]
            for each in engine.containers.list(filters=label)
        }
        stack.write_settings()
        back = stack.make("up")

        assert (account["host"], account["login"]) == ("ab123.us1.dbt.com", "1")
        assert services == RUNNING - {"local-dbt-cloud"}
        assert back.returncode == 0, back.stderr
        local = stack.api().get("/api/v2/connections/dbt_cloud_default")
        assert local["host"] == "local-dbt-cloud:8443"

    def test_env_reaches_the_containers(self, stack, containers):
        """Airflow trusts the authority in EXTRA_CA_FILE, and failures go where .env says."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(stack.folder / "company.pem")
        identity = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
        call = ["with-secrets", "python", "-c", CALL_A_SERVER, identity.decode()]
        before = containers["scheduler"].exec_run(call)

        stack.write_settings("EXTRA_CA_FILE=company.pem", "DBT_CLOUD_NOTIFICATION_URLS=json://a")
        up = stack.make("up")

        assert up.returncode == 0, up.stderr
        assert b"CERTIFICATE_VERIFY_FAILED" in before.output
        inside = stack.compose("exec", "-T", "scheduler", *call)
        assert inside.stdout == "trusted\n", inside.stderr
        people = stack.api().get("/api/v2/connections/dbt_cloud_notifications")
        assert people["conn_type"] == "apprise"
        stack.write_settings()
        assert stack.make("up").returncode == 0

    def test_every_file_is_still_its_owners(self, stack):
        """After all of the above, no file in the clone belongs to root."""
        foreign = [
            str(path.relative_to(stack.folder))
            for path in stack.folder.rglob("*")
            if path.lstat().st_uid == 0
        ]

        assert foreign == []


class TestRefusals:
    def test_taken_port_is_named_before_anything_starts(self, engine, make_clone):
        """A port that is taken is named with its setting, and no container is created."""
        clone = make_clone("taken")
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            clone.write_settings(AIRFLOW_PORT=other.getsockname()[1])
            up = clone.make("up")

        assert up.returncode == 1
        assert "AIRFLOW_PORT" in up.stderr
        label = {"label": f"com.docker.compose.project={clone.project}"}
        assert engine.containers.list(all=True, filters=label) == []

    def test_failed_migration_is_named(self, make_clone):
        """When the migration fails, `make up` says so, shows its last lines, and stops the rest."""
        clone = make_clone("broken")
        clone.write_settings("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS=no.such.thing")

        up = clone.make("up")

        assert up.returncode == 1
        assert "migrate ended with 1" in up.stderr
        assert "no.such.thing" in up.stderr
        assert "\x1b" not in up.stderr
        assert "Traceback" not in up.stderr.partition("The end of its log")[0]
        assert clone.make("status").returncode == 3
        # The command that it names, although the container is gone.
        assert "no.such.thing" in clone.make("logs", "--service", "migrate").stdout

    def test_two_clones_side_by_side(self, engine, stack, make_clone):
        """A second clone has containers and volumes of its own while the first runs."""
        second = make_clone("second")

        up = second.compose("up", "--wait", "postgres")

        assert up.returncode == 0, up.stderr
        assert stack.make("status").returncode == 0
        volumes = [volume.name for volume in engine.volumes.list()]
        assert f"{second.project}_postgres" in volumes
        assert f"{stack.project}_postgres" in volumes
        second.remove()

    def test_clone_of_the_same_name_is_refused(self, stack, make_clone):
        """Two folders of one name would share volumes: the second is told so."""
        namesake = make_clone("namesake", parent="elsewhere", name=stack.project)

        up = namesake.make("up")

        assert up.returncode == 1
        assert str(stack.folder) in up.stderr
        assert "COMPOSE_PROJECT_NAME" in up.stderr
        # It must not take the first clone's containers with it when it is removed.
        namesake.remove = lambda: None


class TestLayers:
    def test_edits_rebuild_little(self, engine, make_clone):
        """An edit of a DAG rebuilds nothing, of a package one layer, of requirements.txt two."""
        clone = make_clone("layers")

        def build():
            done = clone.compose("build", "migrate")
            assert done.returncode == 0, done.stderr
            return engine.images.get(f"{clone.project}-airflow").attrs["RootFS"]["Layers"]

        first = build()
        dag = clone.folder / "dags" / "dbt_cloud_job.py"
        dag.write_text(dag.read_text() + "\n")
        assert build() == first

        package = clone.folder / "packages/airflow-dbt-cloud/src/airflow_dbt_cloud/report.py"
        package.write_text(package.read_text() + "# edited\n")
        second = build()
        # Its own, and that of the packages above it.
        requirements = clone.folder / "requirements.txt"
        requirements.write_text(requirements.read_text() + "# edited\n")
        third = build()

        assert [a == b for a, b in zip(first, second, strict=True)][-2:] == [True, False]
        assert first[:-1] == second[:-1]
        assert first[:-2] == third[:-2]
        assert len(third) == len(first)


def test_the_sdk_is_the_public_one():
    """`import docker` is the Docker SDK, not a folder of this repository."""
    assert not docker.__file__.startswith(str(ROOT / "container"))
