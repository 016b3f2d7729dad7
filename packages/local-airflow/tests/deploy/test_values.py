"""The values for the Helm chart agree with Airflow, with the Dockerfile and with their README."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from airflow.configuration import conf, retrieve_configuration_description
from airflow.secrets.local_filesystem import LocalFilesystemBackend

from airflow_dbt_cloud import CONNECTION_ID


ROOT = Path(__file__).parents[4]
SECRET = re.compile(r"(?i)password|token|secret|key$|connection$")


@pytest.fixture(scope="module")
def values():
    return yaml.safe_load((ROOT / "deploy" / "values.yaml").read_text())


def leaves(node, path=()):
    """Every value of a tree with the keys that lead to it."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, (*path, key))
    elif isinstance(node, list):
        for child in node:
            yield from leaves(child, path)
    else:
        yield path, node


class TestImage:
    def test_version_is_that_of_the_image(self, values):
        """The chart is told the version that the Dockerfile's base image has."""
        dockerfile = (ROOT / "Dockerfile").read_text()

        assert f"apache/airflow:slim-{values['airflowVersion']}-" in dockerfile

    def test_the_stage_that_the_values_name_exists(self):
        """The comment and the README build a stage of the Dockerfile, and it has the DAGs."""
        dockerfile = (ROOT / "Dockerfile").read_text()
        named = set()
        for file in ("values.yaml", "README.md"):
            named |= set(re.findall(r"--target (\S+)", (ROOT / "deploy" / file).read_text()))

        assert named == {"airflow-deploy"}
        assert " AS airflow-deploy\nCOPY dags" in dockerfile


class TestConfig:
    def test_every_setting_exists_in_airflow(self, values):
        """A misspelt setting would silently do nothing: each is in Airflow's own list."""
        known = retrieve_configuration_description(include_providers=True)
        unknown = [
            f"{section}.{option}"
            for section, options in values["config"].items()
            for option in options
            if section != "celery" and option not in known.get(section, {}).get("options", {})
        ]

        assert unknown == []
        # Celery's settings come with its provider, which is only in the image.
        assert set(values["config"]["celery"]) <= {
            "worker_concurrency",
            "worker_prefetch_multiplier",
        }

    def test_the_parts_it_sizes_are_airflows(self, values):
        """Requests, limits and replicas are given for every component, and limits are no less."""
        parts = ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers")
        for part in parts:
            resources = values[part]["resources"]
            assert values[part]["replicas"] >= 1
            assert megabytes(resources["limits"]) >= megabytes(resources["requests"])

    def test_auth_manager_is_in_the_image(self, values):
        """The login that the values choose can be imported without another provider."""
        module, _, name = values["config"]["core"]["auth_manager"].rpartition(".")

        assert f"class {name}" in Path(find_spec(module).origin).read_text()
        assert conf.get("core", "auth_manager") == values["config"]["core"]["auth_manager"]


def megabytes(amounts):
    number, unit = re.fullmatch(r"(\d+)([MG])i", amounts["memory"]).groups()
    return int(number) * (1024 if unit == "G" else 1)


class TestSecrets:
    def test_no_secret_is_written_here(self, values):
        """Nothing that is named like a secret has a value other than a secret's name."""
        written = [
            path
            for path, value in leaves(values)
            if SECRET.search(str(path[-1])) and not str(path[-1]).lower().endswith("secretname")
            if isinstance(value, str)
        ]

        assert written == []

    def test_every_secret_is_made_by_the_readme(self, values):
        """The README's commands create each Kubernetes secret that the values name."""
        readme = (ROOT / "deploy" / "README.md").read_text()
        named = {
            value for path, value in leaves(values) if str(path[-1]).lower().endswith("secretname")
        }
        made = set(re.findall(r"create secret generic (\S+)", readme))

        assert named == made

    def test_no_part_needs_what_is_only_in_a_secret(self, values):
        """The chart writes PgBouncer's settings from the values alone, where no password is."""
        pgbouncer = values["pgbouncer"]

        assert values["data"]["metadataSecretName"]
        assert not pgbouncer["enabled"] or pgbouncer.get("configSecretName")

    def test_connection_comes_from_the_backend(self, values, tmp_path, monkeypatch):
        """The backend of the values, given the example file, knows the connection."""
        backend = values["config"]["secrets"]
        arguments = json.loads(backend["backend_kwargs"])
        mount = values["volumeMounts"][0]["mountPath"]
        example = ROOT / "deploy" / "connections.example.json"

        assert backend["backend"].endswith(LocalFilesystemBackend.__name__)
        assert arguments["connections_file_path"] == f"{mount}/connections.json"
        found = LocalFilesystemBackend(connections_file_path=str(example)).get_connection(
            CONNECTION_ID
        )
        assert (found.conn_type, found.login) == ("dbt_cloud", "1")
        assert found.extra_dejson == {"job_id": 3, "is_local": False}
