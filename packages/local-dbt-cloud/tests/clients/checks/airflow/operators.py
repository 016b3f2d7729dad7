"""Every operator and sensor of the provider, run by Airflow in DAGs."""

import json
from pathlib import Path

import pytest


FETCHED = Path.home() / "fetched"


def result(dag_run):
    """What the DAG's one task returned."""
    return pull(dag_run, "return_value")


def pull(dag_run, key):
    (task,) = dag_run.get_task_instances()
    return task.xcom_pull(task_ids="task", key=key)


class TestRunJobOperator:
    @pytest.mark.parametrize("dag", ["run_in_worker", "run_in_triggerer", "run_by_name"])
    def test_success(self, run_dag, dbt_cloud, dag):
        """A run is triggered and waited for; the task gives its id and its page."""
        dag_run = run_dag(dag)
        run = dbt_cloud.run(result(dag_run))

        assert dag_run.state == "success"
        assert run["is_success"]
        assert run["trigger"]["cause"] == (
            f"Triggered via Apache Airflow by task 'task' in the {dag} DAG."
        )
        assert pull(dag_run, "job_run_url") == run["href"]

    def test_overrides(self, run_dag, dbt_cloud):
        """Reason, steps, schema and the rest of the configuration arrive."""
        run = dbt_cloud.run(result(run_dag("run_with_everything")))
        names = [step["name"] for step in run["run_steps"]]

        assert run["trigger"]["cause"] == "with everything"
        assert names[1].endswith("(override schema to 'elsewhere')")
        assert names[3:] == ["Invoke dbt with `dbt run`", "Invoke dbt with `dbt test`"]
        assert run["trigger"]["threads_override"] == 2

    @pytest.mark.parametrize("dag", ["fail_in_worker", "fail_in_triggerer"])
    def test_failure(self, run_dag, dbt_cloud, dag):
        """A failed run fails the task."""
        dbt_cloud.next_run_ends("error", "Fail")

        assert run_dag(dag).state == "failed"

    def test_retry_from_failure(self, run_dag, dbt_cloud):
        """The task's second attempt resumes the failed run."""
        dbt_cloud.next_run_ends("error", "Fail")
        dag_run = run_dag("retried")

        assert dag_run.state == "success"
        assert dbt_cloud.run(result(dag_run))["retrying_run_id"] is not None

    def test_reuses_a_run_in_progress(self, run_dag, dbt_cloud, held_run):
        """A run in progress is taken over instead of starting another one."""
        assert result(run_dag("reuse")) == held_run

    def test_execution_timeout(self, run_dag, dbt_cloud):
        """A deferred task that takes too long cancels its run."""
        dbt_cloud.hold("running")
        dag_run = run_dag("timed_out")
        run_id = pull(dag_run, "job_run_id")
        run = dbt_cloud.finish(run_id)
        dbt_cloud.hold(None)

        assert dag_run.state == "failed"
        assert run["is_cancelled"]


class TestSensor:
    def test_finished_run(self, run_dag):
        """A sensor in the worker passes when the run has succeeded."""
        assert run_dag("sense_in_worker").state == "success"

    def test_failed_run(self, run_dag):
        """A sensor fails when the run has failed."""
        assert run_dag("sense_failure").state == "failed"

    def test_run_that_another_task_started(self, run_dag, dbt_cloud):
        """A deferred sensor waits for a run that an operator triggered and left."""
        run_id = result(run_dag("run_and_leave"))

        assert run_dag("sense_in_triggerer", run_id=run_id).state == "success"
        assert dbt_cloud.run(run_id)["is_success"]


class TestOtherOperators:
    def test_artifacts(self, run_dag, dbt_cloud):
        """JSON and text are fetched into files, whose folders are created."""
        run_dag("get_json")
        run_dag("get_text")
        results = json.loads((FETCHED / "run_results.json").read_text())

        assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(dbt_cloud.runs["success"])
        assert '"tiny"."one"' in (FETCHED / "two.sql").read_text()

    def test_lists(self, run_dag, dbt_cloud):
        """Jobs as ids, runs as they are."""
        assert set(result(run_dag("list_jobs"))) >= set(dbt_cloud.jobs.values())
        assert result(run_dag("list_runs"))[0]["id"] == dbt_cloud.runs["error"]


class TestOpenLineage:
    @pytest.mark.parametrize(
        ("task", "schema"),
        [
            # A simulated run, whose artifacts say so, and one of real dbt.
            ("lineage_of_the_operator.task", "simulated.simulated"),
            ("lineage_of_the_sensor.task", "warehouse.tiny"),
        ],
    )
    def test_events_of_a_run(self, lineage, task, schema):
        """The run's models are emitted with what they read and wrote, below the Airflow task."""
        models = {
            event["job"]["name"]: event
            for event in lineage
            if event["eventType"] == "COMPLETE"
            if event["run"]["facets"].get("parent", {}).get("job", {}).get("name") == task
        }
        two = models[f"{schema}.tiny.two.build.run"]

        assert [each["name"] for each in two["inputs"]] == [f"{schema}.one"]
        assert [each["name"] for each in two["outputs"]] == [f"{schema}.two"]
        assert two["outputs"][0]["namespace"].startswith("postgres://127.0.0.1:")

    def test_parent_in_the_cause(self, lineage, dbt_cloud):
        """With the parent in the trigger's cause, the run can be led back to the task."""
        runs = dbt_cloud.api(
            "GET",
            f"v2/runs/?job_definition_id={dbt_cloud.jobs['Build']}"
            "&include_related=trigger&order_by=-id&limit=20",
        )
        causes = [run["trigger"]["cause"] for run in runs]
        cause = next(each for each in causes if each.startswith('{"parent":'))

        assert json.loads(cause)["parent"]["job"] == {
            "namespace": "checks",
            "name": "lineage_of_the_operator.task",
        }
