"""Runs that defer to what another run has built, with real dbt."""

import pytest
from server_process import (
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    REAL_DBT,
    THIRD_JOB,
    declare,
    job,
)


@pytest.fixture(scope="module")
def server(make_server, warehouse):
    """A production job, one that defers to it, and one that defers to the environment."""
    changed = "dbt build --select state:modified+"
    jobs = (
        job(JOB, "Production", "dbt build"),
        job(OTHER_JOB, "Changed", changed, deferring_job_definition_id=JOB),
        job(THIRD_JOB, "Itself", changed, deferring_environment_id=ENVIRONMENT),
    )
    server = make_server(declare(*jobs), dbt=REAL_DBT, **warehouse.environment()).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def production(server):
    """A good run of the production job."""
    run = server.finish(server.trigger(JOB)["id"])
    assert run["status"] == 10, run["status_message"]
    return run


@pytest.fixture
def changed(server):
    """The second model, changed for the length of a test."""
    model = server.folder / "project/models/two.sql"
    good = model.read_text()
    model.write_text("select id, 'changed' as note from {{ ref('one') }}\n")
    yield model
    model.write_text(good)


def built(server, run):
    path = f"v2/runs/{run['id']}/artifacts/run_results.json"
    results = server.request("GET", path).json()["results"]
    return {result["unique_id"].split(".")[2] for result in results}


def test_only_what_changed_is_built(server, production, changed, warehouse):
    """`state:modified` compares with the other job's run; the rest is read where that built it."""
    run = server.finish(server.trigger(OTHER_JOB, schema_override="pull_request")["id"])

    assert run["status"] == 10, run["status_message"]
    assert run["deferring_run_id"] == production["id"]
    assert f"Deferring to run {production['id']}" in run["run_steps"][1]["logs"]
    assert built(server, run) == {"two", "not_null_two_id"}
    assert warehouse.rows("select id, note from pull_request.two") == [(1, "changed")]
    assert warehouse.rows("select to_regclass('pull_request.one')") == [(None,)]
    assert [each["id"] for each in server.get("v2/runs/", deferring_run_id=production["id"])] == [
        run["id"]
    ]


def test_nothing_changed(server, production):
    """A selector that matches nothing is no failure."""
    run = server.finish(server.trigger(OTHER_JOB)["id"])

    assert run["status"] == 10, run["status_message"]
    assert "Nothing to do" in run["run_steps"][-1]["logs"]


def test_resumed_run_defers_as_the_failed_one_did(server, production, changed, warehouse):
    """What the failed run did not build is still read from where it was."""
    good = changed.read_text()
    changed.write_text("select id / 0 as id, 'again' as note from {{ ref('one') }}\n")
    failed = server.finish(server.trigger(OTHER_JOB, schema_override="resumed")["id"])
    changed.write_text(good)
    resumed = server.request("POST", f"v2/jobs/{OTHER_JOB}/rerun/").json()["data"]
    resumed = server.finish(resumed["id"])

    assert failed["status"] == 20
    assert resumed["status"] == 10, resumed["status_message"]
    assert resumed["deferring_run_id"] == production["id"]
    assert warehouse.rows("select note from resumed.two") == [("changed",)]
    assert warehouse.rows("select to_regclass('resumed.one')") == [(None,)]


def test_deferring_to_the_environment(server, production):
    """The newest good run of the environment counts, whichever job it is of."""
    newest = server.finish(server.trigger(OTHER_JOB, steps_override=["dbt parse"])["id"])
    run = server.finish(server.trigger(THIRD_JOB)["id"])

    assert run["deferring_run_id"] == newest["id"]
    assert run["status"] == 10, run["status_message"]


def test_deferring_to_itself(make_server, warehouse):
    """The first run of such a job defers to nothing, every other to the good run before it."""
    itself = job(JOB, "Itself", "dbt run", deferring_job_definition_id=JOB)
    server = make_server(declare(itself), dbt=REAL_DBT, **warehouse.environment()).start()
    first, second = (server.finish(server.trigger()["id"]) for _ in range(2))
    server.stop()

    assert [run["status"] for run in (first, second)] == [10, 10]
    assert [run["deferring_run_id"] for run in (first, second)] == [None, first["id"]]
