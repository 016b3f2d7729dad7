"""What the commands of the daily loop do: shell, restart, dag-test, psql."""

import os
import re
import sys

from dbt_cloud_api.user_error import UserError
from local_airflow.base.listeners import listener_uid
from local_airflow.base.progress_line import ProgressLine
from local_airflow.running.dag_run import unknown_dag
from local_airflow.running.mode_choice import current
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError
from local_airflow.stack.generated_secrets import DATABASES
from local_airflow.stack.mode import Mode, not_running
from local_airflow.stack.settings import load_settings


DEBUG_PORT = 5678
# In one process, a trigger that waits cannot ask the database for its connection, and a deferred
# task would fail; from a variable it can have it.
WITH_CONNECTION = (
    "AIRFLOW_CONN_DBT_CLOUD_DEFAULT=$(python -m dbt_cloud_api.connection_settings --variable) "
    'exec "$@"'
)


def shell(command: list[str]) -> int:
    """Open a shell in which `airflow` and your DAGs' imports work as in a task."""
    return _running().run_airflow(command or ["bash"])


def restart(part: str) -> int:
    mode = _running()
    names = [each.name for each in mode.parts()]
    if part not in names:
        raise UserError(
            f"there is no {part} to restart" if part else "which part?",
            f"There are: {', '.join(sorted(names))}.",
            ("make restart S=scheduler",),
        )
    with ProgressLine(f"restarting {part}"):
        mode.restart(part)
    print(f"{part}: restarted")
    return 0


def dag_test(dag_id: str, debug: str) -> int:
    """Run a DAG in one process, task after task, and show its log; with a debugger on request."""
    mode = _running()
    port = _debug_port(debug)
    if port:
        _check_debugger(mode, port)
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password)
    try:
        file = api.get(f"/api/v2/dags/{dag_id}")["fileloc"]
    except AirflowApiError as error:
        if error.status == 404:  # noqa: PLR2004 # HTTP's own number
            raise unknown_dag(api, dag_id) from None
        raise
    # Without the file, Airflow would read every DAG first.
    test = ["airflow", "dags", "test", "--dagfile-path", file, dag_id]
    with_connection = ["bash", "-c", WITH_CONNECTION, "bash"]
    if not port:
        return mode.run_airflow([*with_connection, *test])
    to_you = ["--connect", f"127.0.0.1:{port}"]
    debugger = ["python", "-Xfrozen_modules=off", "-m", "debugpy", *to_you, "-m"]
    return mode.run_airflow([*with_connection, *debugger, *test])


def _check_debugger(mode: Mode, port: int) -> None:
    """
    Refuse where somebody else could be the debugger.

    Whoever speaks to debugpy runs code as you, and nothing asks for a password. So the DAG's
    process listens nowhere: it connects to the port at which your own debugger waits.
    """
    if mode.name != "native":
        raise UserError(
            "a debugger needs MODE=native",
            "In a container it would listen at a port, where every user of this machine gets in.",
            ("In .env:   MODE=native   then:   make up",),
        )
    uid = listener_uid(port)
    if uid is None:
        raise UserError(
            f"no debugger waits at 127.0.0.1:{port}",
            "The DAG connects to your debugger, which must be there before.",
            ("In VS Code: Run and Debug, DAG", f"then:   make dag-test DEBUG={port}"),
        )
    if uid not in {os.geteuid(), 0}:
        raise UserError(
            f"who waits at 127.0.0.1:{port} is another user of this machine",
            "As a debugger it would run code as you.",
            ("Let your debugger wait at another port:   make dag-test DEBUG=5679",),
        )


def _debug_port(debug: str) -> int:
    if debug in {"", "0"}:
        return 0
    if debug == "1":
        return DEBUG_PORT
    if re.fullmatch(r"[1-9][0-9]{3,4}", debug):
        return int(debug)
    raise UserError(
        f"DEBUG={debug} is not a port",
        "DEBUG=1 connects to a debugger at port 5678, a number from 1000 on to one at that port.",
        ("make dag-test DAG=dbt_cloud_job DEBUG=1",),
    )


def psql(database: str, arguments: list[str]) -> int:
    if database not in DATABASES:
        raise UserError(
            f"there is no database {database}",
            f"There are: {' and '.join(DATABASES)}.",
            ("make psql", "make psql DB=airflow"),
        )
    sys.stdout.flush()
    return _running().psql(database, arguments)


def _running() -> Mode:
    mode = current(load_settings())
    if not mode.is_running():
        raise not_running(mode)
    return mode
