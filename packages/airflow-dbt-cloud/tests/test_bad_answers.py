"""What dbt Cloud, a gateway or the network answers on a bad day, and what becomes of the task."""

import dataclasses

import pytest
from chokepoint import Answer


TRIGGER, LOOK = r"POST .*/jobs/\d+/run/", r"GET .*/runs/\?pk__in"
READ = r"GET .*/runs/\d+/"
RETRY_AFTER = (("Retry-After", "1"),)
REFUSED = '{"status": {"code": 401, "user_message": "Invalid token."}, "data": null}'
MODES = pytest.mark.parametrize("deferrable", [True, False], ids=["deferrable", "sync"])


def runs_since(dbt_cloud, newest):
    return dbt_cloud.get("v2/runs/", order_by="-id", id__gt=newest)


@pytest.fixture
def newest(connected):
    """The newest run before the test: what comes after it is the test's."""
    runs = connected.get("v2/runs/", order_by="-id", limit=1)
    return runs[0]["id"] if runs else 0


class TestTrigger:
    @pytest.mark.parametrize(
        "answer",
        [
            Answer(TRIGGER, 502, carried_out=True),
            Answer(TRIGGER, 200, carried_out=True),
            Answer(TRIGGER, 503),
            Answer(TRIGGER, 200, delay=2, carried_out=True),
        ],
        ids=["502, carried out", "a page, carried out", "503, not carried out", "too late"],
    )
    def test_answer_that_is_none(self, task_instance, connected, narrow, newest, answer):
        """Whether dbt Cloud has acted or not, there is one run, and the task has it."""
        narrow.answers = [dataclasses.replace(answer)]
        # Only where it is waited for: on a busy machine a good answer can take longer than this.
        hook_params = {"timeout_seconds": 1} if answer.delay else {}
        ti = task_instance(hook_params=hook_params)

        ended = ti.run()

        (run,) = runs_since(connected, newest)
        assert ended == {"returned": run["id"]}

    def test_too_many_requests(self, task_instance, connected, narrow, newest):
        """429 means that nothing was done: the trigger is repeated when dbt Cloud allows it."""
        narrow.answers = [Answer(TRIGGER, 429, headers=RETRY_AFTER, times=2)]
        ti = task_instance()

        ended = ti.run()

        (run,) = runs_since(connected, newest)
        assert ended == {"returned": run["id"]}
        assert narrow.count(TRIGGER) == 3
        assert "searching" not in ti.log

    def test_refused(self, task_instance, connected, narrow, newest):
        """400 fails the task with dbt Cloud's own words, once, and no run is searched for."""
        ti = task_instance(steps_override=["rm -rf /"])

        ended = ti.run()

        assert ended["raised"] == "RefusedError"
        assert "steps_override" in ended["words"]
        assert ti.xcoms["dbt_cloud_failure"]["side"] == "Airflow"
        assert (narrow.count(TRIGGER), runs_since(connected, newest)) == (1, [])


class TestWaiting:
    @MODES
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_bad_minute(self, task_instance, narrow, deferrable, status):
        """5xx and 429 while the task waits fail nothing, in either mode."""
        look = LOOK if deferrable else READ
        narrow.answers = [Answer(look, status, times=2)]
        ti = task_instance(deferrable=deferrable)

        assert ti.run() == {"returned": ti.xcoms["job_run_id"]}
        assert f"dbt Cloud answered {status}" in ti.log

    @MODES
    def test_token_revoked(self, task_instance, narrow, deferrable):
        """A token that is refused while the task waits fails it at once, and says what to do."""
        look = LOOK if deferrable else READ
        narrow.answers = [Answer(look, 401, REFUSED, times=9)]
        ti = task_instance(deferrable=deferrable)

        ended = ti.run()

        failure = ti.xcoms["dbt_cloud_failure"]
        assert ended["raised"] == "RefusedError"
        assert failure["side"] == "credentials"
        assert "Invalid token." in failure["headline"]
        assert "put a token" in failure["next_step"]
        assert narrow.count(look) == 1

    @MODES
    def test_run_deleted(self, task_instance, narrow, deferrable):
        """A run that is deleted while the task waits fails it at once."""
        listed = '{"data": [], "status": {"code": 200}}'
        narrow.answers = [Answer(LOOK, 200, listed, times=9), Answer(READ, 404, "{}", times=9)]
        ti = task_instance(deferrable=deferrable)

        ended = ti.run()

        assert ended["raised"] == "RefusedError"
        assert "404" in ended["words"]
        assert narrow.count(READ) == 1

    def test_list_that_does_not_filter(self, task_instance, narrow):
        """If dbt Cloud's list leaves the run out, the run is asked for by itself."""
        narrow.answers = [Answer(LOOK, 200, '{"data": [], "status": {}}', times=99)]
        ti = task_instance()

        assert ti.run() == {"returned": ti.xcoms["job_run_id"]}


class TestArtifacts:
    def test_that_cannot_be_had(self, task_instance, narrow):
        """A run that succeeded is a success, also when its results cannot be fetched."""
        narrow.answers = [Answer(r"GET .*/artifacts/", 403, "{}", times=9)]
        ti = task_instance()

        assert ti.run() == {"returned": ti.xcoms["job_run_id"]}
        assert "results of the nodes are missing" in ti.log

    @pytest.mark.parametrize("content", ['{"results": [1]}', '{"results": [', "[]", "<html>"])
    def test_that_is_not_as_dbt_writes_it(self, task_instance, narrow, content):
        """Nor does it matter when they are not what dbt writes, or were cut off."""
        narrow.answers = [Answer(r"GET .*/artifacts/", 200, content, times=9)]
        ti = task_instance()

        assert ti.run() == {"returned": ti.xcoms["job_run_id"]}


def test_no_dbt_cloud_at_all(task_instance, narrow):
    """Where nobody listens, the task says so after its patience, and may be tried again."""
    narrow.server_close()
    ti = task_instance(hook_params={"patience": 1})

    ended = ti.run()

    assert ended["raised"] == "UnreachableError"
    assert ti.xcoms["dbt_cloud_failure"]["side"] == "network"
