"""One step, and the files of a job: the newest that a run which fits has left."""

import time

import pytest
from queue_in_process import add_run, wait
from server_process import ENVIRONMENT, JOB, PROJECT


@pytest.fixture(scope="module")
def finished(shared_server):
    """A run that succeeded, with its steps."""
    return shared_server.finish(shared_server.trigger(JOB)["id"])


@pytest.fixture(scope="module")
def failing_job(shared_server):
    """A job whose newest run failed after an older one had succeeded."""
    body = {"project_id": PROJECT, "environment_id": ENVIRONMENT, "name": "Fails at last"}
    steps = {"execute_steps": ["dbt build"]}
    job = shared_server.send("POST", "v2/jobs/", {**body, **steps}, 201)["id"]
    good = shared_server.finish(shared_server.trigger(job)["id"])
    bad = shared_server.finish(
        shared_server.trigger(job, steps_override=["dbt build --select fail"])["id"]
    )
    return job, good, bad


class TestSteps:
    def test_as_in_its_run(self, shared_server, finished):
        """The step shows what it shows inside of its run."""
        for step in finished["run_steps"]:
            path = f"v2/steps/{step['id']}/"
            assert shared_server.get(path, include_related="debug_logs") == step

    def test_related(self, shared_server, finished):
        """Trigger and job of the run come along when they are asked for."""
        path = f"v2/steps/{finished['run_steps'][0]['id']}"
        shown = shared_server.get(path, include_related="['trigger', 'job']")

        assert shown["trigger"]["cause"] == "a test"
        assert shown["job"]["id"] == JOB
        assert "trigger" not in shared_server.get(path)

    def test_unknown(self, shared_server):
        """A step that is not there is not found."""
        assert shared_server.request("GET", "v2/steps/5/").status_code == 404


class TestArtifactsOfAJob:
    def test_the_newest_success(self, shared_server, failing_job):
        """Without a filter, the newest run that succeeded counts; with one, what it says."""
        job, good, bad = failing_job
        path = f"v2/jobs/{job}/artifacts/run_results.json"

        def status(**params):
            answer = shared_server.request("GET", path, params=params)
            return answer.json()["results"][0]["status"]

        assert (good["status"], bad["status"]) == (10, 20)
        assert status() == "success"
        assert status(status=20) == "error"
        assert status(status__in="[10, 20]") == "error"
        assert status(id__gt=good["id"], status__in="[20]") == "error"

    @pytest.mark.parametrize(
        "path",
        [
            "nothing.json",
            "..%2fproject%2fdbt_project.yml",
            "%2e%2e/%2e%2e/dbt_cloud.sqlite",
            "%00",
            "",
        ],
    )
    def test_nothing_else(self, shared_server, failing_job, path):
        """What no run has left, or what lies outside of its artifacts, is not found."""
        answer = shared_server.request("GET", f"v2/jobs/{failing_job[0]}/artifacts/{path}")

        assert answer.status_code == 404

    def test_step(self, shared_server, failing_job):
        """A step's number narrows it to what that step wrote."""
        path = f"v2/jobs/{failing_job[0]}/artifacts/run_results.json"

        assert shared_server.request("GET", path, params={"step": 4}).status_code == 200
        assert shared_server.request("GET", path, params={"step": 1}).status_code == 404


def test_a_file_system_whose_clock_is_behind(make_queue, monkeypatch):
    """What a step wrote is kept, though its dates are older than the server's clock says."""
    clock = time.time
    monkeypatch.setattr("time.time", lambda: clock() + 2)
    queue = make_queue()
    ended = wait(queue, add_run(queue))
    folder = queue.settings.state / f"runs/{ended.id}/artifacts"

    assert ended.artifacts_saved
    assert [path.name for path in folder.iterdir()] == ["4"]
    assert (folder / "4/run_results.json").is_file()
