"""Trigger a DAG through Airflow's REST API, follow it, and say why a task failed."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from dbt_cloud_api.plain_text import one_line, printable
from dbt_cloud_api.user_error import UserError
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.terminal import painted
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError


SAMPLE = "dbt_cloud_job"
EXAMPLES = "examples"
SECONDS_BETWEEN_LOOKS = 0.3
SECONDS_BETWEEN_FURTHER_LOOKS = 2
LOG_LINES = 15

ENDED = frozenset({"success", "failed"})
FAILED_TASK = frozenset({"failed", "upstream_failed"})
AT_WORK = frozenset({"queued", "running", "deferred", "up_for_retry"})
COLOURS = {"success": "green", "failed": "red", "upstream_failed": "red", "up_for_retry": "yellow"}


@dataclass
class DagRun:
    """
    One run of a DAG. `data` is Airflow's own record of it, `tasks` its task instances.

    Source: `/api/v2/dags/{dag_id}/dagRuns` of Airflow's public REST API.
    """

    api: AirflowApi
    data: dict[str, Any]
    tasks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        return str(self.data["dag_id"])

    @property
    def dag_run_id(self) -> str:
        return str(self.data["dag_run_id"])

    @property
    def path(self) -> str:
        return f"/api/v2/dags/{quote(self.dag_id)}/dagRuns/{quote(self.dag_run_id, safe='')}"

    @property
    def url(self) -> str:
        return f"{self.api.base_url}/dags/{self.dag_id}/runs/{quote(self.dag_run_id, safe='')}"

    @property
    def state(self) -> str:
        return str(self.data["state"])

    def look(self) -> None:
        """Read the dag_run and its tasks again."""
        # The dag_run first: when it has ended, the tasks that are read after it are final.
        self.data = self.api.get(self.path)
        self.tasks = self.api.get(f"{self.path}/taskInstances")["task_instances"]

    def is_deferred(self) -> bool:
        """Tell whether a task waits in the triggerer."""
        return any(task["state"] == "deferred" for task in self.tasks)

    def failed_tasks(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks if task["state"] in FAILED_TASK]

    def last_log_lines(self, task: dict[str, Any]) -> list[str]:
        """Give the end of a task's log as plain lines; empty for a task that never started."""
        if not task["try_number"]:
            return []
        log = self.api.get(
            f"{self.path}/taskInstances/{quote(task['task_id'])}/logs/{task['try_number']}",
            map_index=task["map_index"],
        )
        said = [text for entry in log["content"] for text in _lines(entry)][-LOG_LINES:]
        # A task prints what it likes; it is not to govern your terminal.
        return ["\n".join(map(one_line, printable(text).split("\n"))) for text in said]


def trigger(api: AirflowApi, dag_id: str) -> DagRun:
    """Start a dag_run of a DAG now; switch the DAG on first when it is paused."""
    path = f"/api/v2/dags/{quote(dag_id, safe='')}"
    try:
        dag = api.get(path)
    except AirflowApiError as error:
        if error.status == 404:  # noqa: PLR2004 # HTTP's own number
            raise unknown_dag(api, dag_id) from None
        raise
    if dag["is_paused"]:
        api.patch(path, {"is_paused": False})
        print(f"{dag_id} was paused; it is on now.")
    return DagRun(api, api.post(f"{path}/dagRuns", {"logical_date": None}))


def follow(
    dag_run: DagRun,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    look_further: Callable[[DagRun], str] = lambda _: "",
) -> None:
    """
    Print every change of every task until the dag_run has ended.

    `look_further` says what a deferred task waits for; it is asked only where somebody looks.
    """
    seen: dict[tuple[str, int], str] = {}
    next_look = 0.0
    with ProgressLine(dag_run.dag_id, clock=clock) as below:
        while True:
            dag_run.look()
            for task in dag_run.tasks:
                key, state = (task["task_id"], task["map_index"]), task["state"] or "waiting"
                if seen.get(key) != state:
                    seen[key] = state
                    shown = painted(state, COLOURS.get(state, ""))
                    below.say(f"  {below.seconds:6.1f} s  {_task_name(task):<30} {shown}")
            below.what = _what_goes_on(dag_run)
            if not dag_run.is_deferred():
                below.detail = ""
            elif below.is_drawn and below.seconds >= next_look:
                below.detail = look_further(dag_run)
                next_look = below.seconds + SECONDS_BETWEEN_FURTHER_LOOKS
            if dag_run.state in ENDED:
                return
            sleep(SECONDS_BETWEEN_LOOKS)


def _what_goes_on(dag_run: DagRun) -> str:
    """Name the tasks that are at work; a deferred one waits in the triggerer, for dbt Cloud."""
    working = [task for task in dag_run.tasks if task["state"] in AT_WORK]
    names = [f"{_task_name(task)} {task['state']}" for task in working]
    return ", ".join(names) or f"{dag_run.dag_id} {dag_run.state}"


def print_failures(dag_run: DagRun) -> None:
    """Show the end of the log of every task that failed."""
    # Where both go into one file, what was said before comes before.
    sys.stdout.flush()
    for task in dag_run.failed_tasks():
        state = painted(task["state"], COLOURS.get(task["state"], ""), sys.stderr)
        print(f"\n{_task_name(task)}: {state}", file=sys.stderr)
        for line in dag_run.last_log_lines(task):
            print(f"  {line}", file=sys.stderr)


def _task_name(task: dict[str, Any]) -> str:
    index = "" if task["map_index"] < 0 else f" [{task['map_index']}]"
    return f"{task['task_id']}{index}"


def _lines(entry: dict[str, Any] | str) -> list[str]:
    """Flatten one entry of a task log: its message, and the error in it, if there is one."""
    if isinstance(entry, str):
        return entry.splitlines()
    event = str(entry.get("event", ""))
    if event.startswith("::"):  # the marks that fold a group of lines in the UI
        return []
    lines = event.splitlines()
    for error in entry.get("error_detail") or ():
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def default_dag(api: AirflowApi) -> str:
    """
    Name the DAG that `make run` means when it is told none: the sample, or the only one of yours.

    Raises `UserError` where there are several, or none.
    """
    dags = api.get("/api/v2/dags", limit=100)["dags"]
    names = [dag["dag_id"] for dag in dags]
    yours = [dag["dag_id"] for dag in dags if dag["bundle_name"] != EXAMPLES]
    if SAMPLE in names:
        return SAMPLE
    if len(yours) == 1:
        return str(yours[0])
    raise UserError(
        "which DAG?" if names else "there is no DAG to run",
        f"There are: {', '.join(names)}." if names else "dags/ has none that Airflow could read.",
        (f"make run DAG={(yours or names)[0]}",) if names else ("make doctor",),
    )


def unknown_dag(api: AirflowApi, dag_id: str) -> UserError:
    broken = api.get("/api/v2/importErrors")["import_errors"]
    if broken:
        first = broken[0]
        return UserError(
            f"Airflow knows no DAG {dag_id}.",
            f"{first['filename']} does not import: {first['stack_trace'].splitlines()[-1]}",
            ("Mend the file; Airflow reads it again within a second or two.",),
        )
    known = [dag["dag_id"] for dag in api.get("/api/v2/dags", limit=100)["dags"]]
    close = get_close_matches(dag_id, known, n=1)
    return UserError(
        f"Airflow knows no DAG {dag_id}.",
        f"It knows: {', '.join(known) or 'none'}.",
        (f"make run DAG={close[0] if close else SAMPLE}",),
    )
