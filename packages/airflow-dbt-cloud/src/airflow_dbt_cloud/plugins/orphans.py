"""
End the dbt Cloud run of a task that was ended where no process had it.

A task that is marked in the UI is told so in the worker or the triggerer that has it, and that one
ends the run. In the moment between the two, and while no triggerer runs, nobody has it; then only
the API server, where the button was pressed, can. A task that Airflow itself gives up for dead is
seen in the scheduler in the same way.
"""

import json
import threading
from typing import Any

import structlog
from airflow._shared.state import TaskScope
from airflow.listeners import hookimpl
from airflow.models.taskinstance import TaskInstance
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import AirflowException
from airflow.state import get_state_backend
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.one_run.orphans import end_if_active
from airflow_dbt_cloud.one_run.task_memory import STORE_KEY


# Whoever has the task needs this long at the most to end the run itself.
SECONDS_FOR_THE_OTHERS = 8.0
OVER = frozenset({TaskInstanceState.FAILED, TaskInstanceState.SUCCESS, TaskInstanceState.SKIPPED})

log = structlog.get_logger(__name__)


class EndedTaskListener:
    """Airflow calls these in the process that changes the state; a task's own is not meant."""

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:  # noqa: ARG002 # Airflow's names
        look_after(task_instance)

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 # as above
        look_after(task_instance)

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 # as above
        look_after(task_instance)


def look_after(task_instance: Any) -> None:
    """Look, a little later and in a thread, whether the run of a task that is over goes on."""
    if not isinstance(task_instance, TaskInstance):
        return
    where = TaskScope(
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        map_index=task_instance.map_index,
    )
    timer = threading.Timer(SECONDS_FOR_THE_OTHERS, end_run_of, (where,))
    timer.daemon = True
    timer.start()


def end_run_of(where: TaskScope) -> None:
    """Cancel what a task remembers, unless the task has begun anew meanwhile."""
    remembered = read_memory(where)
    if remembered is None:
        return
    identity = (where.dag_id, where.run_id, where.task_id, str(where.map_index))
    try:
        run_id = end_if_active(remembered, identity)
    except (DbtCloudApiError, AirflowException) as error:
        log.error("A run of a task that is over may go on", task=where.task_id, reason=str(error))  # noqa: TRY400 # a traceback says nothing more
        return
    if run_id is not None:
        log.info("Cancelled the run of a task that was ended", task=where.task_id, run=run_id)


def read_memory(where: TaskScope) -> dict[str, Any] | None:
    with create_session() as session:
        state = session.scalar(
            select(TaskInstance.state).where(
                TaskInstance.dag_id == where.dag_id,
                TaskInstance.run_id == where.run_id,
                TaskInstance.task_id == where.task_id,
                TaskInstance.map_index == where.map_index,
            )
        )
        if state not in OVER:
            return None
        stored = get_state_backend().get(where, STORE_KEY, session=session)
    remembered: dict[str, Any] | None = json.loads(stored) if stored else None
    return remembered


class DbtCloudOrphansPlugin(AirflowPlugin):
    name = "dbt_cloud_orphans"
    listeners = [EndedTaskListener()]  # noqa: RUF012 # Airflow reads a plain class attribute
