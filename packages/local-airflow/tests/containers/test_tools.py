"""doctor, setup, status, wait, open and bundle beside a stack in containers."""

import json
import re
import signal
import time
import zipfile
from contextlib import contextmanager

import pytest
from container_clone import PYTHON, health, wait_until


PARTS = {"api-server", "scheduler", "dag-processor", "triggerer", "local-dbt-cloud", "postgres"}
JOB_PAGE = "/deploy/70403103900001/projects/70403103900011/jobs/70403103900101"


@pytest.fixture
def paused(containers):
    """The triggerer, which does nothing meanwhile; afterwards it goes on."""
    triggerer = containers["triggerer"]
    triggerer.pause()
    yield triggerer
    triggerer.unpause()
    wait_until(lambda: health(triggerer) == "healthy", 180, "the triggerer's recovery")


@pytest.fixture(scope="module")
def secrets(stack):
    """Every secret of the clone, as the volume has it."""
    folder = stack.home / "secrets-of-the-tools"
    archive = stack.compose("cp", "secrets:/run/secrets/clone", str(folder))
    assert archive.returncode == 0, archive.stderr
    return {file.name: file.read_text() for file in folder.iterdir() if file.suffix != ".pem"}


def examined(stack):
    """The doctor's findings by area and name, and its exit code."""
    done = stack.make("doctor", "--format", "json")
    assert done.stderr == ""
    found = {
        (area["title"].partition(" (")[0], each["name"]): each
        for area in json.loads(done.stdout)["areas"]
        for each in area["findings"]
    }
    return found, done.returncode


class TestDoctor:
    def test_everything_is_green(self, stack):
        """Nothing is red: machine, images, containers, and dbt Cloud from both sides."""
        found, code = examined(stack)

        colours = {key: each["level"] for key, each in found.items()}
        # The clone of the tests is no git repository.
        assert {key[1] for key, level in colours.items() if level != "ok"} == {"git"}
        assert code == 0
        assert found["This machine", "mode"]["found"] == "docker, as it was started"
        assert "as locked" in found["Files", "installed"]["found"]
        assert all(part in found["Stack", "parts"]["found"] for part in PARTS)
        assert "local-dbt-cloud:8443" in found["Stack", "connection"]["found"]
        from_here, from_airflow = "dbt Cloud from this machine", "dbt Cloud from Airflow"
        assert found[from_here, "TLS"]
        assert found[from_airflow, "its connection"]["found"].startswith("local-dbt-cloud:8443")
        assert "requests" in found[from_airflow, "tasks"]["found"]
        assert "aiohttp" in found[from_airflow, "triggerer"]["found"]

    def test_container_that_does_nothing(self, stack, paused):
        """A container that is paused is red in the doctor's report, and nobody calls it ready."""
        found, code = examined(stack)
        wait = stack.make("wait-ready", "--seconds", "1")

        assert code == 1
        assert found["Stack", "triggerer"]["found"] == "paused, after 0 restarts"
        assert found["Stack", "triggerer"]["remedies"] == [
            f"docker unpause {stack.project}-triggerer-1",
            "make logs S=triggerer",
        ]
        assert wait.returncode == 1
        assert "every container's own health check" in wait.stderr


class TestStatus:
    def test_for_programs(self, stack):
        """FORMAT=json and FORMAT=env have the containers, their addresses and the login."""
        report = json.loads(stack.make("status", "--format", "json").stdout)
        env = stack.make("status", "--format", "env")

        assert env.returncode == 0
        assert (report["mode"], report["healthy"]) == ("docker", True)
        assert {part["name"]: part["state"] for part in report["parts"]} == dict.fromkeys(
            PARTS, "healthy"
        )
        assert {part["place"] for part in report["parts"]} == {
            f"{stack.project}-{name}-1" for name in PARTS
        }
        assert report["airflow_password"] == stack.password()
        assert f"AIRFLOW_URL=http://localhost:{stack.settings['AIRFLOW_PORT']}\n" in env.stdout
        assert f"DBT_CLOUD_URL={address(stack)}\n" in env.stdout
        assert report["dbt_cloud"]["job_url"] == address(stack) + JOB_PAGE

    def test_for_people(self, stack):
        """The plain table names each container."""
        lines = stack.make("status").stdout.splitlines()

        assert lines[0].split() == ["PART", "STATE", "PROCESS", "RESTARTS"]
        rows = {line.split()[0]: line.split()[1:] for line in lines[1:7]}
        assert rows == {name: ["healthy", f"{stack.project}-{name}-1", "0"] for name in PARTS}

    def test_wait(self, stack):
        """A stack that is ready is not waited for."""
        done = stack.make("wait-ready", "--seconds", "120")

        assert (done.returncode, done.stdout) == (0, "ready\n")


class TestOpen:
    @pytest.mark.parametrize("what", ["airflow", "dbt-cloud"])
    def test_address_is_this_machines(self, stack, what):
        """The browser gets an address of this machine, never one that only containers know."""
        done = stack.make("open", what)
        wanted = {
            "airflow": f"http://localhost:{stack.settings['AIRFLOW_PORT']}",
            "dbt-cloud": address(stack) + JOB_PAGE,
        }

        assert done.returncode == 0
        assert wanted[what] in done.stdout


class TestBundle:
    def test_has_the_logs_and_no_secret(self, stack, secrets):
        """The logs of all services are in it, also of those that have ended; no secret is."""
        done = stack.make("bundle")
        file = stack.folder / re.search(r"wrote (\S+\.zip)", done.stdout)[1]
        with zipfile.ZipFile(file) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        file.unlink()
        found = {
            (secret, name)
            for secret, value in secrets.items()
            for name, text in texts.items()
            if value in text
        }

        assert found == set()
        logs = {name.removeprefix("logs/containers/") for name in texts if "containers/" in name}
        assert {f"{name}.log" for name in {*PARTS, "migrate", "secrets"}} <= logs
        assert "Database migration done!" in texts["logs/containers/migrate.log"]
        assert json.loads(texts["status.json"])["mode"] == "docker"
        assert json.loads(texts["doctor.json"])["result"] == "ok"
        assert [name for name, text in texts.items() if text.startswith("not to be had")] == []


class TestSetup:
    def test_from_an_address_to_a_run_and_back(self, stack, secrets):
        """
        `make setup` uses a job by its address, checks it beside the running containers, runs it.

        The account is the local dbt Cloud at its address for people, which only this machine has.
        """
        bundle = stack.folder / ".local/state/containers/tls/bundle.pem"
        token = secrets["local_dbt_cloud_token"].strip()
        with settings(stack, EXTRA_CA_FILE=bundle):
            done = setup(
                stack,
                DBT_CLOUD_JOB_URL=address(stack) + JOB_PAGE,
                DBT_CLOUD_API_TOKEN=token,
                TRIGGER="yes",
            )
            written = (stack.folder / ".env").read_text()
            back = setup(stack, DBT_CLOUD_JOB_URL="local")
            after = (stack.folder / ".env").read_text()

        assert done.returncode == 0, done.stdout + done.stderr
        assert f"DBT_CLOUD_JOB_URL={address(stack)}{JOB_PAGE}\n" in written
        assert f"DBT_CLOUD_API_TOKEN={token}\n" in written
        assert token not in done.stdout + done.stderr
        assert "✓ job: Build flights" in done.stdout
        # Airflow has not been started anew: the doctor says so.
        assert "make up" in done.stdout.partition("dbt Cloud from Airflow")[2]
        assert "  Success" in done.stdout
        assert back.returncode == 0
        assert "DBT_CLOUD_API_TOKEN=\n" in after


def address(stack):
    return f"https://localhost:{stack.settings['LOCAL_DBT_CLOUD_PORT']}"


def setup(stack, **answers):
    return stack.call(PYTHON, "-m", "local_airflow", "setup", **answers)


@contextmanager
def settings(stack, **more):
    """Other settings for a while, which no start reads."""
    stack.write_settings(**more)
    try:
        yield
    finally:
        stack.write_settings()


class TestInterruption:
    def test_interrupted_start_leaves_nothing(self, engine, make_clone):
        """Ctrl-C during `make up`, also an impatient one, leaves no container."""
        clone = make_clone("interrupted")
        label = {"label": f"com.docker.compose.project={clone.project}"}

        def containers():
            return engine.containers.list(all=True, filters=label)

        up = clone.begin("up")
        wait_until(lambda: any(each.status == "running" for each in containers()), 400, "a start")
        for _ in range(2):
            up.send_signal(signal.SIGINT)
            time.sleep(0.3)

        # The second may come when all is done and Python itself is about to end.
        assert up.wait(timeout=240) in {130, -signal.SIGINT}
        assert containers() == []
