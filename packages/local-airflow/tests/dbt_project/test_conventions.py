"""How the project is written."""

import re
from pathlib import Path

import pytest


PROJECT = Path(__file__).resolve().parents[4] / "dbt_project"
SQL = sorted((PROJECT / "models").rglob("*.sql"))


@pytest.fixture(scope="module")
def manifest(dbt):
    """The manifest of `dbt parse`."""
    invocation = dbt("parse")
    assert invocation.exit_code == 0, invocation.output
    return invocation.artifact("manifest.json")


@pytest.fixture(scope="module")
def models(manifest):
    """Every model of the project."""
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(found) == len(SQL) == 9
    return found


class TestConventions:
    @pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
    def test_a_yml_stands_beside_each_sql(self, path):
        """What is known about a model is in the file of the same name."""
        assert f"- name: {path.stem}\n" in path.with_suffix(".yml").read_text(encoding="utf-8")

    def test_a_description_ends_with_the_grain(self, models, manifest):
        """The last words of a model's or a source's description say what one row is."""
        tables = [*models, *manifest["sources"].values()]

        without = [
            table["name"]
            for table in tables
            if not re.search(r"\bone row per [\w ]+\.\Z", table["description"].strip())
        ]
        assert without == []

    def test_every_model_has_a_group_with_an_owner(self, models, manifest):
        """Someone can be asked about each model; the addresses are nobody's."""
        owners = {group["name"]: group["owner"] for group in manifest["groups"].values()}

        assert {model["group"] for model in models} == set(owners)
        assert all(owner["email"].endswith("@example.com") for owner in owners.values())

    def test_every_model_has_a_key(self, models, manifest):
        """Each model has a column that is tested to be there and to be unique."""
        keys = {}
        for node in manifest["nodes"].values():
            if node["resource_type"] == "test" and node["test_metadata"]["name"] in {
                "not_null",
                "unique",
            }:
                key = (node["attached_node"], node["column_name"])
                keys.setdefault(key, set()).add(node["test_metadata"]["name"])
        complete = {model for (model, _), tests in keys.items() if tests == {"not_null", "unique"}}

        assert complete == {model["unique_id"] for model in models}

    def test_a_late_load_only_warns(self, manifest):
        """Freshness never stops a build: the flights are of 2013."""
        for source in manifest["sources"].values():
            assert source["freshness"]["warn_after"]["count"]
            assert not source["freshness"]["error_after"]["count"]

    def test_dbt_leaves_nothing_in_the_project(self, manifest):
        """Artifacts, logs and dbt's id of this machine are not written beside the models."""
        assert not [name for name in ("target", "logs", ".user.yml") if (PROJECT / name).exists()]

    def test_dbt_by_hand_leaves_production_alone(self, dbt):
        """Without DBT_SCHEMA every model goes to dbt_dev, never to the schema of the jobs."""
        nodes = dbt("parse", schema=None).artifact("manifest.json")["nodes"].values()

        assert {node["schema"] for node in nodes if node["resource_type"] == "model"} == {"dbt_dev"}
