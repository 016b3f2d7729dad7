"""What the Astro CLI does with this repository, done with the engine itself."""

import json
import tarfile
from io import BytesIO
from urllib.error import URLError
from urllib.request import urlopen

import docker
import pytest
import yaml
from container_clone import wait_until
from repository_copy import ROOT


LABEL = "io.astronomer.docker.runtime.version"
# What `astro dev parse` and `astro dev pytest` copy into the container.
COPIED = ("dags", "tests", "plugins", "include", ".astro")
ACCOUNT = (
    "DBT_CLOUD_JOB_URL=https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN=dbtc_token",
)


@pytest.fixture(scope="module")
def astro(engine, make_clone):
    """A clone whose default image is built, as the Astro CLI builds it: no target is named."""
    clone = make_clone("astro")
    clone.write_settings(*ACCOUNT)
    clone.image = f"{clone.project}/airflow:latest"
    built = clone.call("docker", "build", "--quiet", "--tag", clone.image, ".")
    assert built.returncode == 0, built.stderr
    yield clone
    engine.images.remove(clone.image, force=True)


def run_pytest(engine, clone, file):
    """Create, copy, start: the three calls behind `astro dev parse` and `astro dev pytest`."""
    variables = (clone.folder / ".env").read_text().split()
    container = engine.containers.create(clone.image, ["pytest", file], environment=variables)
    try:
        for name in COPIED:
            archive = BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as files:
                files.add(clone.folder / name, name)
            container.put_archive("/usr/local/airflow", archive.getvalue())
        container.start()
        code = container.wait(timeout=300)["StatusCode"]
        return code, container.logs().decode()
    finally:
        container.remove(force=True)


class TestImage:
    def test_label_is_that_of_the_runtime(self, engine, astro):
        """The image has the label by which the Astro CLI knows Airflow 3, of the form X.Y-Z."""
        version = engine.images.get(astro.image).labels[LABEL]

        assert version == "3.3-2"

    def test_dags_are_inside(self, engine, astro):
        """`astro deploy` ships the image alone, so the DAGs and what they share are in it."""
        listed = engine.containers.run(
            astro.image, ["ls", "dags", "include", "examples/dags"], remove=True
        )

        assert b"dbt_cloud_job.py" in listed
        assert b"task_defaults.py" in listed
        assert b"flight_delays.py" in listed

    def test_packages_are_installed(self, engine, astro):
        """What your DAGs import is installed, and its plugins are known to Airflow."""
        program = (
            "import airflow_dbt_cloud, dbt_cloud_api;"
            "from importlib.metadata import entry_points;"
            "print(sorted(each.name for each in entry_points(group='airflow.plugins')))"
        )
        printed = engine.containers.run(astro.image, ["python", "-c", program], remove=True)

        assert b"dbt_cloud_connection" in printed
        assert b"warehouse_connection" in printed


class TestCommands:
    def test_parse(self, engine, astro):
        """`astro dev parse` is content: every DAG file imports inside Astro's image."""
        code, said = run_pytest(engine, astro, ".astro/test_dag_integrity_default.py")

        assert code == 0, said
        # Each file, and that there are any.
        assert f"{len(list(astro.folder.glob('dags/**/*.py'))) + 1} passed" in said

    def test_parse_objects_to_a_broken_dag(self, engine, astro):
        """`astro dev parse` fails for a file that does not import, and shows why."""
        broken = astro.folder / "dags" / "broken.py"
        broken.write_text("from airflow.sdk import dag\nimport no_such_package\n")
        try:
            code, said = run_pytest(engine, astro, ".astro/test_dag_integrity_default.py")
        finally:
            broken.unlink()

        assert code == 1
        assert "no_such_package" in said

    def test_pytest(self, engine, astro):
        """`astro dev pytest` holds the DAGs to tests/policies.toml, and they pass there."""
        code, said = run_pytest(engine, astro, "tests")

        assert code == 0, said[-4000:]
        assert "policies.toml" in said
        assert "failed" not in said


@pytest.fixture(scope="module")
def started(astro):
    """Astro's six services, modelled on the file that `astro dev start` generates."""
    config = yaml.safe_load((ROOT / ".astro" / "config.yaml").read_text())
    variables = {
        "ASTRO_IMAGE": astro.image,
        "ASTRO_POSTGRES_TAG": config["postgres"]["tag"],
        "COMPOSE_PROJECT_NAME": f"{astro.project}_abc123",
    }
    place = ["--project-directory", str(astro.folder)]
    file = [
        *place,
        "-f",
        str(astro.folder / "packages/local-airflow/tests/containers/astro-compose.yaml"),
    ]
    up = astro.compose(*file, "up", "--detach", **variables)
    assert up.returncode == 0, up.stderr
    yield f"http://127.0.0.1:{astro.settings['AIRFLOW_PORT']}"
    astro.compose(*file, "down", "--volumes", "--timeout", "3", **variables)


def ask(url):
    try:
        with urlopen(url, timeout=30) as answer:  # noqa: S310 # http to this machine
            return json.load(answer)
    except (URLError, OSError):
        return None


class TestSixServices:
    def test_all_healthy_with_dag_and_connection(self, started):
        """Every component becomes healthy, the DAG is there, and so is the account from .env."""

        def healthy():
            health = ask(f"{started}/api/v2/monitor/health") or {}
            names = ("scheduler", "triggerer", "dag_processor", "metadatabase")
            return all((health.get(name) or {}).get("status") == "healthy" for name in names)

        wait_until(healthy, 300, "the health of all components")
        wait_until(lambda: ask(f"{started}/api/v2/dags/dbt_cloud_job"), 300, "the DAG")
        wait_until(lambda: ask(f"{started}/api/v2/dags/flight_delays"), 300, "an example")
        place = f"{started}/api/v2/connections/dbt_cloud_default"
        connection = wait_until(lambda: ask(place), 180, "the connection")

        assert (connection["host"], connection["login"]) == ("ab123.us1.dbt.com", "1")


def test_engine_is_asked_through_the_sdk(engine):
    """These tests talk to the engine that `docker` talks to."""
    assert isinstance(engine, docker.DockerClient)
    assert engine.ping()
