"""What every DAG of this repository owes: add a file to dags/ and it is held to policies.toml."""

from pathlib import Path

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from tests.dags import dag_policies, sealed


DAGS = Path(__file__).parents[2] / "dags"

ACCOUNT = {
    "DBT_CLOUD_JOB_URL": "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN": "dbtc_secret",
}


@pytest.fixture(scope="module")
def folder():
    return dag_policies.Folder(DAGS, dag_policies.load())


@pytest.fixture
def dag_bag(folder):
    return folder.bag


class TestPolicies:
    @pytest.mark.parametrize("policy", dag_policies.POLICIES)
    def test_policy(self, folder, policy):
        """No DAG breaks a policy; what does is told with its file, its line and the remedy."""
        broken = dag_policies.broken(policy, folder)

        assert not broken, "\n" + "\n".join(map(str, broken))

    def test_every_policy_is_declared(self, folder):
        """policies.toml and the checks name the same policies: none is declared and not checked."""
        assert set(folder.policies) - {"exceptions"} == set(dag_policies.POLICIES)

    def test_exceptions_are_needed(self, folder):
        """A DAG that is let off has a reason, and would break that policy."""
        for each in folder.policies.get("exceptions", []):
            found = dag_policies.POLICIES[each["policy"]](folder, folder.policies[each["policy"]])

            assert each["reason"]
            assert each["dag"] in {violation.file.stem for violation in found}


class TestImport:
    @pytest.mark.parametrize("settings", [{}, ACCOUNT], ids=["env unset", "env set"])
    def test_with_and_without_settings(self, monkeypatch, settings):
        """Every file in dags/ imports with and without .env."""
        for name in ACCOUNT:
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

        bag = sealed.read(DAGS)

        assert bag.import_errors == {}
        assert set(bag.dags) >= {"dbt_cloud_job"}

    def test_load_time_is_shown(self, capsys):
        """Each file's load time in a fresh process is printed."""
        seconds = sealed.seconds_to_load(DAGS)
        with capsys.disabled():
            for file, number in seconds.items():
                print(f"\n  {file.name}: {number:.2f} s to load in a fresh process", end="")

        assert set(seconds) == set(DAGS.glob("*.py"))

    def test_reaches_the_scheduler(self, dag_bag):
        """Every DAG can be written down and read again, as on its way to the scheduler."""
        for dag in dag_bag.dags.values():
            again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
            assert set(again.task_ids) == set(dag.task_ids)

    def test_no_cycles(self, dag_bag):
        """The tasks of every DAG can be put in an order."""
        for dag in dag_bag.dags.values():
            dag.check_cycle()
