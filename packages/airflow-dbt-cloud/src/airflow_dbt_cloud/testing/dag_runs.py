"""Run a DAG in this process, and say what became of it."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from airflow.dag_processing.dagbag import DagBag
from airflow.models.xcom import XComModel
from airflow.sdk.definitions import dag as dag_definition
from airflow.utils.session import create_session
from sqlalchemy import select


SECONDS_BETWEEN_LOOKS = 0.1

sleep = time.sleep


def _sleep(seconds: float) -> None:
    """Sleep, but less where `dag.test()` itself does: a second, whenever no task can run yet."""
    is_airflow = sys._getframe(1).f_globals is vars(dag_definition)  # noqa: SLF001 # Python has no other way to ask
    sleep(SECONDS_BETWEEN_LOOKS if is_airflow else seconds)


@dataclass(frozen=True)
class Ended:
    """A dag_run that has ended. A mapped task has `name[index]`."""

    state: str
    tasks: dict[str, str]
    xcoms: dict[tuple[str, str], Any]

    def result(self, task_id: str) -> Any:
        """What a task has returned."""
        return self.xcoms[task_id, "return_value"]


def read_dag(folder: Path, dag_id: str) -> Any:
    bag = DagBag(folder / f"{dag_id}.py")
    if bag.import_errors:
        raise ImportError("\n".join(bag.import_errors.values()))
    return bag.dags[dag_id]


def run_to_its_end(dag: Any, **form: Any) -> Ended:
    with mock.patch.object(time, "sleep", _sleep):
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
