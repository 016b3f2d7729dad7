"""What `make run` calls proof: both sides must agree, and a disagreement is seen."""

import pytest

from local_airflow.running.dag_run import DagRun
from local_airflow.running.proof import gather


NODES = [
    {"unique_id": "model.flights.a", "status": "success"},
    {"unique_id": "test.flights.t.1", "status": "pass"},
]


class Airflow:
    """Airflow's side, as its REST API gives it; a test changes what it is about."""

    base_url = "http://localhost:8080"

    def __init__(self, **xcoms):
        self.xcoms = xcoms

    def get(self, path, **query):
        if path.endswith("/xcomEntries"):
            key = query["xcom_key"]
            entries = [{"key": key, "task_id": "t", "map_index": -1}] if key in self.xcoms else []
            return {"xcom_entries": entries}
        return {"value": self.xcoms[path.rsplit("/", 1)[1]]}


class DbtCloud:
    """dbt Cloud's side: one run with a build and the docs."""

    def __init__(self, status=10, cause="dag_run manual__1", nodes=NODES, command="dbt build"):
        self.status, self.cause, self.nodes, self.command = status, cause, nodes, command

    def run(self, run_id):
        steps = ["Clone git repository", f"Invoke dbt with `{self.command}`"]
        steps.append("Invoke dbt with `dbt docs generate`")
        return {
            "id": run_id,
            "status": self.status,
            "status_humanized": "Success",
            "duration": "00:00:09",
            "href": "https://localhost:8443/deploy/1/projects/2/runs/7/",
            "trigger": {"cause": self.cause},
            "run_steps": [{"index": n, "name": name} for n, name in enumerate(steps, start=1)],
        }

    def run_results(self, run_id, step):
        assert step == 2, "the results of `dbt docs generate` say nothing about the build"
        return {"metadata": {"invocation_id": "i-1"}, "results": self.nodes}


SUMMARY = {
    "dbt_cloud_run_id": 7,
    "invocation_ids": ["i-1"],
    "counts": {"success": 1, "pass": 1},
}


def prove(dbt_cloud=None, state="success", **xcoms):
    """Gather the proofs of a dag_run that left these XComs."""
    data = {"dag_id": "d", "dag_run_id": "manual__1", "state": state}
    return gather(DagRun(Airflow(**xcoms), data), dbt_cloud or DbtCloud())


@pytest.mark.parametrize(
    "command",
    ["dbt build", "dbt --warn-error build", "dbt --target x build", "dbt run-operation grant"],
)
def test_both_sides_agree(command):
    """When both sides tell the same, every check holds, whatever stands before the subcommand."""
    (proof,) = prove(DbtCloud(command=command), job_run_id=7, return_value=SUMMARY)

    assert len(proof.checks()) == 5
    assert all(check.holds for check in proof.checks())


@pytest.mark.parametrize(
    ("dbt_cloud", "summary", "state", "broken"),
    [
        (DbtCloud(status=20), SUMMARY, "success", "the dbt Cloud run is Success"),
        (DbtCloud(cause="by hand"), SUMMARY, "success", "its cause names this dag_run"),
        (DbtCloud(), SUMMARY, "failed", "Airflow's dag_run is success"),
        (
            DbtCloud(),
            {**SUMMARY, "invocation_ids": ["i-0"]},
            "success",
            "the XCom names the artifact's invocation",
        ),
        (DbtCloud(nodes=NODES[:1]), SUMMARY, "success", "the XCom has the artifact's counts"),
    ],
    ids=["dbt failed", "another's run", "airflow failed", "another invocation", "other counts"],
)
def test_each_disagreement_is_seen(dbt_cloud, summary, state, broken):
    """Each thing that does not agree breaks the one check that is about it."""
    (proof,) = prove(dbt_cloud, state, job_run_id=7, return_value=summary)

    assert [check.statement for check in proof.checks() if not check.holds] == [broken]


def test_dag_without_summary_is_checked_on_the_rest():
    """A DAG that keeps no summary is checked on state and cause only."""
    (proof,) = prove(job_run_id=7)

    assert len(proof.checks()) == 3


def test_dag_without_dbt_cloud_has_no_proof():
    """A DAG that started no dbt Cloud run has nothing to compare."""
    assert prove(return_value="anything") == []


def test_lines_show_the_ids_of_both_sides():
    """What is printed has both ids, the link, the cause and the counts."""
    (proof,) = prove(job_run_id=7, return_value=SUMMARY)

    text = "\n".join(proof.lines())
    for part in ("manual__1", "7", "/runs/7/", "i-1", "1 pass, 1 success"):
        assert part in text
