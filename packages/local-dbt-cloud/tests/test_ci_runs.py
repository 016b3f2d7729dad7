"""Runs of CI jobs, each for a pull request."""

import pytest
from server_process import ENVIRONMENT, JOB, OTHER_JOB, job


HOLD = "dbt build --select hold"


@pytest.fixture
def server(fresh_server):
    """A CI job and an ordinary one in an account of one slot."""
    return fresh_server(
        job(JOB, "CI", HOLD, job_type="ci"), job(OTHER_JOB, "Ordinary", HOLD), run_slots=1
    )


def test_pull_requests_run_side_by_side(server):
    """Each has its own schema and its own turn, and none takes a slot of the account."""
    ordinary = server.trigger(OTHER_JOB)
    first, second = (server.trigger(github_pull_request_id=number) for number in (7, 8))
    for run in (ordinary, first, second):
        server.held(run["id"])
    server.release()
    ended = [server.finish(run["id"]) for run in (first, second)]

    assert [run["trigger"]["cause_category"] for run in ended] == ["ci", "ci"]
    for number, run in zip((7, 8), ended, strict=True):
        assert run["run_steps"][1]["name"] == (
            "Create profile from connection Warehouse"
            f" (override schema to 'dbt_cloud_pr_{JOB}_{number}')"
        )
    profile = server.folder / f"state/runs/{first['id']}/profiles/profiles.yml"
    assert f"schema: dbt_cloud_pr_{JOB}_7" in profile.read_text()


def test_a_new_commit_ends_the_run_of_the_old_one(server):
    """The newer run of a pull request takes its place; other pull requests go on."""
    old, other = (server.trigger(gitlab_merge_request_id=number) for number in (7, 8))
    server.held(old["id"])
    server.held(other["id"])
    new = server.trigger(gitlab_merge_request_id=7)
    server.held(new["id"])
    ended = server.finish(old["id"])
    server.release()

    assert ended["status"] == 30
    assert "newer run of the pull request" in ended["status_message"]
    assert [server.finish(run["id"])["status"] for run in (other, new)] == [10, 10]


def test_overrides_win(server):
    """A schema that the trigger names is used, pull request or not."""
    run = server.trigger(github_pull_request_id=7, schema_override="mine")
    server.held(run["id"])
    server.release()

    assert server.finish(run["id"])["run_steps"][1]["name"].endswith("schema to 'mine')")


def test_other_jobs_have_no_pull_requests(server):
    """The id of a pull request changes nothing for a job that is not for CI."""
    run = server.trigger(OTHER_JOB, github_pull_request_id=7)
    server.held(run["id"])
    server.release()
    ended = server.finish(run["id"])

    assert ended["trigger"]["cause_category"] == "api"
    assert ended["run_steps"][1]["name"] == "Create profile from connection Warehouse"


def test_a_resumed_run_stays_with_its_pull_request(fresh_server):
    """It builds in the pull request's schema, not in production, and takes no slot."""
    server = fresh_server(
        job(JOB, "CI", "dbt build --select fail", job_type="ci"),
        job(OTHER_JOB, "Ordinary", HOLD),
        run_slots=1,
    )
    failed = server.finish(server.trigger(github_pull_request_id=7)["id"])
    server.held(server.trigger(OTHER_JOB)["id"])
    resumed = server.finish(server.send("POST", f"v2/runs/{failed['id']}/retry/")["id"])
    server.release()

    assert resumed["trigger"]["cause_category"] == "rerun"
    assert resumed["run_steps"][1]["name"] == failed["run_steps"][1]["name"]
    assert resumed["run_steps"][1]["name"].endswith(f"'dbt_cloud_pr_{JOB}_7')")


def test_pull_requests_do_not_defer_to_one_another(fresh_server):
    """What defers to the environment compares with what was deployed there."""
    server = fresh_server(
        job(JOB, "CI", "dbt build", job_type="ci", deferring_environment_id=ENVIRONMENT),
        job(OTHER_JOB, "Production", "dbt build"),
    )
    deployed = server.finish(server.trigger(OTHER_JOB)["id"])
    for number in (7, 8):
        run = server.finish(server.trigger(github_pull_request_id=number)["id"])
        assert run["deferring_run_id"] == deployed["id"]
