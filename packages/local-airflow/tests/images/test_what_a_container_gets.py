"""What the files of Compose, and `make up`, give each container of `.env`, and let it do."""

import os
from pathlib import Path

import pytest
from compose_file import read_compose_file

from dbt_cloud_api.secret_settings import SECRET_SETTINGS
from local_airflow.running.mode_choice import choose
from local_airflow.stack.settings import load_settings


ROOT = Path(__file__).parents[4]
FILES = ("docker-compose.yaml", "compose.celery.yaml", "examples/compose.yaml")
AIRFLOW = {"migrate", "api-server", "scheduler", "dag-processor", "triggerer"}
WRITE_CONNECTIONS = {"scheduler", "dag-processor", "triggerer"}


@pytest.fixture(scope="module")
def services():
    """Every service, as the first file that describes it does; the others only add to it."""
    found = {}
    for name in FILES:
        content = read_compose_file(ROOT / name)
        found = {**content["services"], **found}
    return found


class TestFiles:
    def test_no_service_may_do_more_than_it_needs(self, services):
        """No capability and no way to one, but for the service that gives volumes their owner."""
        # A worker extends the scheduler.
        able = {name: each for name, each in services.items() if name != "worker"}

        assert [name for name in able if able[name].get("cap_drop") != ["ALL"]] == []
        assert {name for name in able if "cap_add" in able[name]} == {"secrets"}
        assert {
            name for name in able if able[name]["security_opt"] != ["no-new-privileges:true"]
        } == set()

    def test_env_is_for_airflow_alone(self, services):
        """`.env` is handed to Airflow's containers; the local dbt Cloud gets a file of its own."""
        given = {
            name: [each["path"] for each in service.get("env_file", ())]
            for name, service in services.items()
        }

        assert {name for name in given if "${LOCAL_ENV_FILE:-.env}" in given[name]} == AIRFLOW
        assert {name for name in given if given[name]} == AIRFLOW | {"local-dbt-cloud"}

    def test_secret_settings_are_in_no_environment(self, services):
        """What opens something comes as a file, to those that write Airflow's connections."""
        for name in AIRFLOW:
            environment = services[name]["environment"]
            assert {environment[setting] for setting in SECRET_SETTINGS} == {""}, name
        assert {name for name in services if services[name].get("configs")} == WRITE_CONNECTIONS

    def test_the_broker_asks_for_a_password(self, services):
        """Valkey reads it from a file: an argument would be seen in its description."""
        assert "/run/secrets/own/valkey.conf" in services["valkey"]["command"]
        assert "--protected-mode" not in services["valkey"]["command"]


@pytest.fixture
def up(tmp_path, monkeypatch):
    """Let a start call a docker that only writes down its environment; give that."""
    for name, value in {"LOCAL_STATE": "state", "LOCAL_ENV_FILE": ".env"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\ncase "$*" in *short) echo 2.26.1;; version*) echo 26.1.5;; esac\n'
        f'case "$*" in *" up "*) env > {tmp_path}/given;; esac\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def start(*lines):
        (tmp_path / ".env").write_text("".join(f"{line}\n" for line in lines))
        mode, _ = choose(load_settings())
        mode.start()
        mode.beginning.wait()
        return dict(line.split("=", 1) for line in (tmp_path / "given").read_text().splitlines())

    return start


class TestUp:
    def test_the_local_dbt_cloud_gets_its_variables_only(self, up):
        """Of `.env` it gets DBT_ENV_…, in a file that nobody else may read."""
        given = up("DBT_ENV_SECRET_A=a", "AIRFLOW__SMTP__SMTP_PASSWORD=b", "WAREHOUSE_URL=c")
        file = Path(given["LOCAL_DBT_ENV_FILE"])

        assert file.read_text() == "DBT_ENV_SECRET_A=a\n"
        assert file.stat().st_mode & 0o777 == 0o600

    def test_env_decides_and_not_the_shell(self, up, monkeypatch):
        """A token that a shell happens to have is not taken for that of `.env`."""
        for name in SECRET_SETTINGS:
            monkeypatch.setenv(name, "of-the-shell")

        given = up("DBT_CLOUD_API_TOKEN=of-env")

        assert [given[name] for name in SECRET_SETTINGS] == ["of-env", "", ""]

    def test_another_secret_makes_other_containers(self, up):
        """Compose replaces a container when its description changes: a new token changes it."""
        stamps = {up(f"DBT_CLOUD_API_TOKEN={token}")["SECRET_SETTINGS_STAMP"] for token in "aab"}

        assert len(stamps) == 2
