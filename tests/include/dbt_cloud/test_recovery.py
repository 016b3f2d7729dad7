"""What a task does after a failure: go on where the run failed, or start anew, never in secret."""

import json

import pytest

from include.dbt_cloud.operator import DbtCloudJobOperator
from tests.include.dbt_cloud.attempts import Blow, kill_this_process
from tests.local_dbt_cloud.server_process import OTHER_JOB, THIRD_JOB


RETRY = "POST runs/retry/"


def run_with_trigger(dbt_cloud, run_id):
    return dbt_cloud.get(f"v2/runs/{run_id}/", include_related="trigger,run_steps")


@pytest.fixture
def failed(task_instance):
    """A task instance whose first try ended with a dbt node that failed."""
    ti = task_instance(job_id=THIRD_JOB)
    assert ti.run()["raised"] == "DbtFailedError"
    return ti


class TestAfterDbtFailed:
    @pytest.mark.parametrize("how", ["retry", "clear"])
    def test_resumes(self, failed, connected, how):
        """A retry and a Clear both resume the failed run, with dbt's own retry."""
        first = failed.xcoms["job_run_id"]
        if how == "retry":
            ended = failed.retry()
        else:
            failed.clear()
            ended = failed.run()

        run = run_with_trigger(connected, ended["returned"])
        assert run["retrying_run_id"] == first
        assert run["run_steps"][-1]["name"] == "Invoke dbt with `dbt retry`"

    @pytest.mark.parametrize("side", ["before", "after"])
    def test_killed_while_resuming(self, failed, connected, side):
        """Killed right before or after it resumes, the next try has still resumed it once."""
        first = failed.xcoms["job_run_id"]
        failed.retry(Blow(RETRY, side == "after", kill_this_process))

        ended = failed.retry()

        runs = connected.get("v2/runs/", order_by="-id", limit=50)
        assert [run["id"] for run in runs if run["retrying_run_id"] == first] == [ended["returned"]]

    def test_answer_to_the_retry_lost(self, failed, connected):
        """When the answer is lost, the run that resumes is found by what it resumes."""
        first = failed.xcoms["job_run_id"]

        ended = failed.retry(Blow(RETRY, after=True, strike=lambda: None))

        assert run_with_trigger(connected, ended["returned"])["retrying_run_id"] == first
        assert failed.trace.count(RETRY) == 1

    def test_resume_turned_off(self, failed, connected):
        """With `resume=False` a retry starts a new run."""
        failed.options["resume"] = False

        failed.retry()

        run = run_with_trigger(connected, failed.xcoms["job_run_id"])
        assert run["retrying_run_id"] is None

    def test_somebody_has_run_the_job_since(self, failed, connected):
        """dbt Cloud resumes only a job's latest run; of an older one a new run is made."""
        connected.finish(connected.trigger(THIRD_JOB)["id"])

        failed.retry()

        run = run_with_trigger(connected, failed.xcoms["job_run_id"])
        assert run["retrying_run_id"] is None
        assert "RETRY_NOT_LATEST_RUN" in failed.log

    def test_overrides_changed_since(self, failed, connected):
        """A resumed run would use the old overrides: with new ones the task starts a new run."""
        failed.options["steps_override"] = ["dbt build --select other"]

        ended = failed.retry()

        run = run_with_trigger(connected, ended["returned"])
        assert run["retrying_run_id"] is None
        assert run["trigger"]["steps_override"] == ["dbt build --select other"]
        assert "other overrides" in failed.log

    def test_same_overrides(self, task_instance, connected):
        """A run with overrides is resumed when the task still has the same."""
        options = {
            "steps_override": ["dbt build --select fail"],
            "additional_run_config": {"threads_override": 2},
        }
        ti = task_instance(**options)
        ti.run()
        first = ti.xcoms["job_run_id"]

        ended = ti.retry()

        run = run_with_trigger(connected, ended["returned"])
        assert run["retrying_run_id"] == first
        assert run["trigger"]["threads_override"] == 2


class TestAfterOtherEnds:
    def test_cancelled_in_dbt_cloud(self, task_instance, connected):
        """A run that a person cancelled fails the task; the next try starts a new run."""
        ti = task_instance(job_id=OTHER_JOB, deferrable=False, timeout=0)
        ti.run()
        first = ti.xcoms["job_run_id"]

        ti.retry()

        assert run_with_trigger(connected, first)["is_cancelled"]
        second = run_with_trigger(connected, ti.xcoms["job_run_id"])
        assert second["id"] != first
        assert second["retrying_run_id"] is None

    def test_run_deleted_in_dbt_cloud(self, task_instance, connected):
        """A run that is gone is no result: the next try starts a new one."""
        ti = task_instance()
        ti.run(Blow("write xcom job_run_url", after=False, strike=kill_this_process))
        memory = ti.memory
        memory["current"]["run_id"] = 70403199999999
        (ti.folder / "state.json").write_text(json.dumps({"dbt_cloud": memory}))

        ended = ti.retry()

        assert ended == {"returned": ti.xcoms["job_run_id"]}
        assert "is not there any more" in ti.log


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"reuse_existing_run": True}, "whoever started it"),
            ({"retry_from_failure": True, "resume": False}, "contradict"),
            ({"additional_run_config": {"cause": "mine"}}, "trigger_reason"),
            (
                {
                    "steps_override": ["dbt build"],
                    "additional_run_config": {"steps_override": ["dbt run"]},
                },
                "given twice",
            ),
        ],
        ids=["reuse_existing_run", "resume or not", "cause", "twice"],
    )
    def test_what_cannot_be_kept_is_refused(self, parameters, words):
        """A parameter that would be dropped, or would lose the run, is an error in the DAG file."""
        with pytest.raises(ValueError, match=words):
            DbtCloudJobOperator(task_id="build", job_id=1, **parameters)

    def test_takes_what_the_provider_takes(self):
        """Every parameter of the provider's operator is taken, with the provider's meaning."""
        operator = DbtCloudJobOperator(
            task_id="build",
            dbt_cloud_conn_id="other",
            project_name="Flights",
            environment_name="Production",
            job_name="Build",
            account_id=1,
            trigger_reason="because",
            steps_override=["dbt build"],
            schema_override="elsewhere",
            wait_for_termination=False,
            timeout=10,
            check_interval=3,
            additional_run_config={"threads_override": 2},
            reuse_existing_run=False,
            retry_from_failure=True,
            deferrable=False,
            hook_params={"retry_limit": 3},
        )

        assert (operator.check_interval, operator.timeout, operator.deferrable) == (3, 10, False)

    def test_job_that_is_no_number(self, task_instance):
        """A job id that renders to no number is named, before anything is asked of dbt Cloud."""
        ti = task_instance(job_id="{{ nothing }}")

        assert "is no number" in ti.run()["words"]
