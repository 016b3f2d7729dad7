"""Run a DAG of `dags/` in this process, and say what became of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select


DAGS = Path(__file__).parents[2] / "dags"


@dataclass(frozen=True)
class Ended:
    """A dag_run that has ended. A mapped task has `name[index]`."""

    state: str
    tasks: dict[str, str]
    xcoms: dict[tuple[str, str], Any]

    def result(self, task_id: str) -> Any:
        """What a task has returned."""
        return self.xcoms[task_id, "return_value"]


@pytest.fixture
def load_dag():
    """Read one file of dags/, as Airflow does."""

    def load(dag_id: str):
        bag = DagBag(DAGS / f"{dag_id}.py")
        assert bag.import_errors == {}
        return bag.dags[dag_id]

    return load


@pytest.fixture
def run_dag(load_dag, run_to_its_end) -> Callable[..., Ended]:
    """Run a DAG with `dag.test()`; what is given by name is what the form would send."""

    def run(dag_id: str, **form: Any) -> Ended:
        return run_to_its_end(load_dag(dag_id), **form)

    return run


@pytest.fixture
def run_to_its_end(airflow_database) -> Callable[..., Ended]:
    """The same, for a DAG that is loaded already."""
    return _run_to_its_end


def _run_to_its_end(dag, **form: Any) -> Ended:
    dag_run = dag.test(run_conf=form or None)
    with create_session() as session:
        found = session.scalars(
            select(XComModel).where(
                XComModel.dag_id == dag.dag_id, XComModel.run_id == dag_run.run_id
            )
        )
        xcoms = {(each.task_id, each.key): XComModel.deserialize_value(each) for each in found}
    tasks = {
        ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]": str(ti.state)
        for ti in dag_run.get_task_instances()
    }
    return Ended(str(dag_run.state), tasks, xcoms)


@pytest.fixture
def start_by_hand(dbt_cloud) -> Callable[..., int]:
    """Start a run as a person would, in dbt Cloud; give its number once it has ended."""
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

    def start(job_name: str, *, wait: bool = True) -> int:
        hook = DbtCloudHook()
        answer = hook.trigger_job_run(dbt_cloud.jobs[job_name], cause="by hand")
        run_id = answer.json()["data"]["id"]
        deadline = time.monotonic() + 120
        while wait and dbt_cloud.runs[-1].status not in {"success", "error", "cancelled"}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return run_id

    return start
