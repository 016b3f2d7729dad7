"""What a task does after a failure: go on where the run failed, or start anew, never in secret."""

import json
import signal
import time

import pytest
from airflow.sdk import DAG, Asset
from attempts import Blow, kill_this_process
from server_process import JOB, OTHER_JOB, THIRD_JOB

from airflow_dbt_cloud.assets import MODELS
from airflow_dbt_cloud.operator import DbtCloudJobOperator
from airflow_dbt_cloud.operator_parameters import checked_overrides
from dbt_cloud_api.trigger_fields import OVERRIDE_FIELDS, TRIGGER_FIELDS


RETRY = "POST runs/retry/"


def run_with_trigger(dbt_cloud, run_id):
    return dbt_cloud.get(f"v2/runs/{run_id}/", include_related="trigger,run_steps")


def wait_for_runs(dbt_cloud, job_id):
    """The runs of a job that have not ended; one at least."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        runs = dbt_cloud.get("v2/runs/", job_definition_id=job_id, order_by="-id", limit=20)
        if unfinished := [run for run in runs if not run["is_complete"]]:
            return unfinished
        time.sleep(0.02)
    return []


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

    def test_job_changed_since(self, failed, connected):
        """A task that was given another job starts that one, and does not resume the old one."""
        failed.options["job_id"] = JOB
        failed.clear()

        ended = failed.run()

        run = run_with_trigger(connected, ended["returned"])
        assert (run["job_definition_id"], run["retrying_run_id"]) == (JOB, None)

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

    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (signal.SIGTERM, "The local dbt Cloud was stopped while the run was in progress."),
            (signal.SIGKILL, "The local dbt Cloud's server died while the run was in progress."),
        ],
    )
    def test_restarted_in_the_middle(self, task_instance, connected, number, words):
        """A run that ends with the local dbt Cloud is not the project's, and is tried again."""
        ti = task_instance(job_id=OTHER_JOB)
        child = ti.start()
        (run,) = wait_for_runs(connected, OTHER_JOB)
        connected.held(run["id"])
        connected.stop(number)
        connected.start()
        ended = ti.wait(child)

        ti.options["steps_override"] = ["dbt build"]
        again = ti.retry()

        assert ended["raised"] == "RunEndedError", ended
        assert words in ended["words"].splitlines()[0]
        assert "side: dbt Cloud" in ended["words"]
        assert again["returned"] != run["id"]

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

    @pytest.mark.parametrize("how", ["retry", "clear"])
    def test_number_of_somebody_elses_run(self, task_instance, connected, how):
        """
        Where the connection leads to another account, a run of the same number is left alone.

        It is neither taken for the task's own by a retry nor cancelled by a Clear.
        """
        theirs = connected.trigger(OTHER_JOB, cause="a person")
        ti = task_instance()
        ti.run(Blow("write xcom job_run_url", after=False, strike=kill_this_process))
        memory = ti.memory
        memory["current"]["run_id"] = theirs["id"]
        (ti.folder / "state.json").write_text(json.dumps({"dbt_cloud": memory}))

        if how == "retry":
            ended = ti.retry()
        else:
            ti.clear()
            ended = ti.run()

        assert ended["returned"] != theirs["id"]
        assert not connected.get(f"v2/runs/{theirs['id']}/")["is_complete"]
        connected.request("POST", f"v2/runs/{theirs['id']}/cancel/")


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"reuse_existing_run": True}, "whoever started it"),
            ({"retry_from_failure": True, "resume": False}, "contradict"),
            ({"retry_from_failure": False, "resume": True}, "contradict"),
            ({"hook_params": {"retries": 3}}, "patience and timeout_seconds"),
            ({"additional_run_config": {"cause": "mine"}}, "trigger_reason"),
            ({"additional_run_config": {"thread_override": 2}}, "thread_override, which dbt Cloud"),
            (
                {
                    "steps_override": ["dbt build"],
                    "additional_run_config": {"steps_override": ["dbt run"]},
                },
                "given twice",
            ),
        ],
        ids=[
            "reuse_existing_run",
            "resume or not",
            "not or resume",
            "hook_params",
            "cause",
            "unknown field",
            "twice",
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, parameters, words):
        """A parameter that would be dropped, or would lose the run, is an error in the DAG file."""
        with pytest.raises(ValueError, match=words):
            DbtCloudJobOperator(task_id="build", job_id=1, **parameters)
        with DAG("flights", schedule=None, default_args=parameters), pytest.raises(ValueError):  # noqa: PT011 # as above
            DbtCloudJobOperator(task_id="build", job_id=1)

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

    def test_takes_what_a_run_may_be_given(self):
        """Every field of a trigger may be given, and the body of the request has no other."""
        config = {name: "1" for name in OVERRIDE_FIELDS if name != "steps_override"}
        operator = DbtCloudJobOperator(
            task_id="build", job_id=1, steps_override=["dbt run"], additional_run_config=config
        )

        body = checked_overrides(operator)

        assert {**body, "cause": "a task"}.keys() == set(TRIGGER_FIELDS)
        assert body["steps_override"] == ["dbt run"]

    def test_default_args_say_where_and_what_it_publishes(self):
        """Names and outlets may come from `default_args`; `model_assets` adds to the outlets."""
        place = {"project_name": "Flights", "environment_name": "Production"}
        with DAG("flights", schedule=None, default_args=place | {"outlets": [Asset("mine")]}):
            operator = DbtCloudJobOperator(
                task_id="build", job_name="Build", create_if_missing=True, model_assets=True
            )

        assert operator.outlets == [Asset("mine"), MODELS]

    @pytest.mark.parametrize("given", [{"retry_from_failure": False}, {"resume": False}])
    def test_either_name_turns_resuming_off(self, given):
        """The provider's `retry_from_failure=False` is obeyed like `resume=False`."""
        assert not DbtCloudJobOperator(task_id="build", job_id=1, **given).resume

    @pytest.mark.parametrize(
        ("config", "words"), [({"cause": "mine"}, "trigger_reason"), ("{}", "not a dictionary")]
    )
    def test_config_that_is_known_late(self, task_instance, monkeypatch, config, words):
        """What another task or a template gives is refused as well, before anything is started."""
        ti = task_instance()
        make = ti._operator

        def rendered():
            operator = make()
            operator.additional_run_config = config
            return operator

        monkeypatch.setattr(ti, "_operator", rendered)

        ended = ti.run()

        assert ended["raised"] == "RefusedError"
        assert words in ended["words"]
        assert "POST jobs/run/" not in ti.trace

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"account_id": "mine"}, "account_id is 'mine', which is no number."),
            ({"dbt_cloud_conn_id": "nowhere"}, "There is no Airflow connection 'nowhere'."),
            ({"dbt_cloud_conn_id": "tokenless"}, "has no API token"),
            ({"dbt_cloud_conn_id": "placeless"}, "does not say which account"),
        ],
    )
    def test_place_that_cannot_be(self, task_instance, monkeypatch, options, words):
        """A wrong account or connection ends the task with what is wrong and what to do."""
        for name, fields in {
            "tokenless": {"login": "1"},
            "placeless": {"login": "me@example.com", "password": "token"},
        }.items():
            connection = json.dumps({"conn_type": "dbt_cloud", **fields})
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection)
        ti = task_instance(**options)

        ended = ti.run()

        assert ended["raised"] == "RefusedError"
        assert words in ended["words"]
        assert "then Clear this task" in ti.xcoms["dbt_cloud_failure"]["next_step"]

    def test_reason_that_is_a_number(self, task_instance, connected):
        """A reason that a template has rendered to a number is still words."""
        ti = task_instance(trigger_reason=20130101)

        run = run_with_trigger(connected, ti.run()["returned"])

        assert run["trigger"]["cause"].endswith("] 20130101")

    def test_job_that_is_no_number(self, task_instance):
        """A job id that renders to no number is named, before anything is asked of dbt Cloud."""
        ti = task_instance(job_id="{{ nothing }}")

        assert "is no number" in ti.run()["words"]
