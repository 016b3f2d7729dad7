"""
Run a DAG with `dag.test()` in a process of its own, and print what became of it as JSON.

A process of its own, because Airflow and its HTTP clients read the process environment when they
are imported: where the database is, and which certificates to trust.
"""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select


def main() -> None:
    folder, dag_id = sys.argv[1:]
    dag = DagBag(folder).dags[dag_id]
    dag_run = dag.test()
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == dag_run.run_id))
        values = {f"{each.task_id}.{each.key}": each.value for each in xcoms}
        events = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
            .where(AssetEvent.source_run_id == dag_run.run_id)
        )
        assets = dict(map(tuple, events))
    states = {task.task_id: task.state for task in dag_run.get_task_instances()}
    result = {"state": dag_run.state, "tasks": states, "xcoms": values, "assets": assets}
    print(json.dumps(result), file=sys.stdout)


if __name__ == "__main__":
    main()
