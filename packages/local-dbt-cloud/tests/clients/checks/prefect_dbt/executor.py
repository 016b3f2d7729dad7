"""prefect-dbt's executor, which makes a dbt Cloud job for each dbt node and deletes it again."""

import pytest
from dbt.artifacts.resources.types import NodeType
from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudExecutor
from prefect_dbt.core._manifest import DbtNode, ManifestParser


def executor_for(dbt_cloud, host, **options):
    credentials = DbtCloudCredentials(
        api_key=dbt_cloud.token, account_id=dbt_cloud.account, domain=host
    )
    return DbtCloudExecutor(
        credentials=credentials,
        project_id=dbt_cloud.project,
        environment_id=dbt_cloud.environment,
        poll_frequency_seconds=1,
        **options,
    )


@pytest.fixture
def executor(dbt_cloud):
    """An executor for the server whose triggers need no cause: it sends none."""
    return executor_for(dbt_cloud, dbt_cloud.host_without_cause)


@pytest.fixture
def node():
    """A node of the project."""
    return DbtNode("model.tiny.one", "one", NodeType.Model, original_file_path="models/one.sql")


def test_manifest_of_a_job(dbt_cloud):
    """The manifest comes from the newest successful run of a job."""
    executor = executor_for(dbt_cloud, dbt_cloud.host, defer_to_job_id=dbt_cloud.jobs["Build"])
    nodes = ManifestParser(executor.resolve_manifest_path()).get_executable_nodes()

    assert "model.tiny.one" in nodes
    assert nodes["model.tiny.two"].depends_on == ("model.tiny.one",)


def test_manifest_by_compiling(executor):
    """Without a job to take it from, a job of the executor's own compiles the project."""
    assert "model.tiny.two" in executor.generate_manifest()["nodes"]


def test_node(executor, node):
    """A node is run by a job that exists only for it."""
    done = executor.execute_node(node, "run")

    assert done.success, done.error
    assert done.artifacts["model.tiny.one"]["status"] == "success"


def test_wave(executor, node):
    """Several nodes are built by one job."""
    done = executor.execute_wave([node], full_refresh=True, indirect_selection="empty")

    assert done.success, done.error
    assert "model.tiny.one" in done.node_ids


def test_refused_without_a_cause(dbt_cloud, node):
    """
    At the default settings its triggers are refused: they have no cause.

    dbt Cloud's documents require one; whether the real one refuses is not known in public.
    """
    done = executor_for(dbt_cloud, dbt_cloud.host).execute_node(node, "run")

    assert not done.success
    assert "400 Bad Request" in str(done.error)
