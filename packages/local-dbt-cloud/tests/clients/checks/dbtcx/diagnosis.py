"""dbtcx looks for the step that built something, and fetches what belongs to it."""

import json

import pytest
from seeded_dbt_cloud import CommandLine


@pytest.fixture(scope="module")
def dbtcx(dbt_cloud):
    """The command line; `dbt-cloud`, which it calls, reads the same variables."""
    return CommandLine("dbtcx", dbt_cloud.cli_variables)


def test_finds_the_step_that_built(dbtcx, dbt_cloud, tmp_path):
    """Steps without dbt answer 404 and are passed over; what `dbt build` left is fetched."""
    run_id = dbt_cloud.runs["success"]
    text = dbtcx("fetch-run", run_id, "--out-dir", tmp_path)
    results = json.loads((tmp_path / "run_results.json").read_text())

    assert "[step 3] no run_results.json" in text
    assert "auto-detected step: 4" in text
    assert results["args"]["which"] == "build"
    assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run_id)
    slim = json.loads((tmp_path / "manifest.slim.json").read_text())
    assert "model.tiny.two" in {node["unique_id"] for node in slim["nodes"]}


def test_fetches_a_compiled_model(dbtcx, dbt_cloud, tmp_path):
    """A compiled model is fetched by its path below target/."""
    path = "compiled/tiny/models/two.sql"
    dbtcx(
        *("fetch-run", dbt_cloud.runs["success"], "--step", 4),
        *("--model-path", path, "--out-dir", tmp_path),
    )
    (fetched,) = tmp_path.rglob("*.sql")

    assert '"tiny"."one"' in fetched.read_text()


def test_passes_through(dbtcx, dbt_cloud):
    """`dbtcx proxy` hands everything else to dbt-cloud."""
    answer = dbtcx.json("proxy", "run", "list", "--job-id", dbt_cloud.jobs["Build"])

    assert dbt_cloud.runs["success"] in {run["id"] for run in answer["data"]}
