"""
Tries of one task, each in a process of its own that can be killed at an exact point.

A try is a fork of the test's process that runs the operator the way Airflow's task runner does:
`execute`, the trigger on an event loop, `execute_complete`. What Airflow keeps for the task (its
state store, its XComs) is kept in files. Every crossing of the border of the process (a request
to dbt Cloud, a write to Airflow) is a point with a name, and something can be made to happen right
before or right after it: that is the whole fault injector, and it needs no clock.
"""

import asyncio
import contextlib
import contextvars
import json
import os
import re
import signal
import ssl
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import requests
import structlog
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred
from airflow.sdk.execution_time.timeout import timeout
from asgiref.sync import SyncToAsync

from airflow_dbt_cloud.calls import clock
from airflow_dbt_cloud.calls.api_errors import AnswerLostError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.hook import SECONDS_PER_REQUEST, PatientDbtCloudHook
from airflow_dbt_cloud.one_run import late_runs, one_run
from airflow_dbt_cloud.operator import DbtCloudJobOperator
from airflow_dbt_cloud.waiting import pacing, run_poller
from airflow_dbt_cloud.waiting.trigger import DbtCloudRunTrigger


@dataclass(frozen=True)
class Blow:
    """
    What happens before or after a point, the first time that it is reached.

    What dbt Cloud answered is thrown away by a blow after it, unless `answer_arrives`.
    """

    point: str
    after: bool
    strike: Callable[[], None]
    answer_arrives: bool = False


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell_this_process_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Points:
    """Counts the crossings of this process, and lets the blow fall on the one that is meant."""

    def __init__(self, blow: Blow | None, trace: Path) -> None:
        self.blow, self.trace = blow, trace
        self.asked = threading.Lock()

    @contextlib.contextmanager
    def crossing(
        self, name: str, asked: Callable[[], Any] = contextlib.nullcontext
    ) -> Iterator[None]:
        name = re.sub(r"\d{6,}/", "", name)  # ids
        with self.trace.open("a") as trace:
            trace.write(f"{name}\n")
        falls = self.blow is not None and self.blow.point == name
        blow, self.blow = self.blow, None if falls else self.blow
        with asked():
            if falls and not blow.after:
                blow.strike()
            yield
        if falls and blow.after:
            blow.strike()
            if not blow.answer_arrives:
                raise AnswerLostError(f"{name}: the answer was thrown away")

    @contextlib.contextmanager
    def asking_airflow(self) -> Iterator[None]:
        """One question at a time, as in the Task SDK; there a second one waits for ever."""
        if not self.asked.acquire(blocking=False):
            raise RuntimeError("Airflow was asked in the middle of another question")
        try:
            yield
        finally:
            self.asked.release()

    def install(self) -> None:
        send, send_async = PatientDbtCloudHook._send, AsyncDbtCloudApi._send

        def watched(
            hook: Any, method: str, endpoint: str, data: Any, options: Any
        ) -> requests.Response:
            related = data.get("include_related") if isinstance(data, dict) else None
            with self.crossing(
                f"{method} {endpoint.rpartition('accounts/')[2]} {related or ''}".strip()
            ):
                return send(hook, method, endpoint, data, options)

        async def watched_async(api: Any, access: Any, method: str, path: str, query: Any) -> Any:
            with self.crossing(f"{method} {path} in the triggerer"):
                return await send_async(api, access, method, path, query)

        read_connection = PatientDbtCloudHook.get_connection

        def get_connection(conn_id: str) -> Any:
            with self.asking_airflow():
                return read_connection(conn_id)

        PatientDbtCloudHook.get_connection = staticmethod(get_connection)
        PatientDbtCloudHook._send = watched
        AsyncDbtCloudApi._send = watched_async


class FileStore:
    """Airflow's state store and XComs of one task instance, on the disk."""

    def __init__(self, path: Path, points: Points) -> None:
        self.path, self.points = path, points

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, key: str, default: Any = None) -> Any:
        what = f"read {self.path.stem} {key}"
        with self.points.crossing(what, self.points.asking_airflow):
            return self.read().get(key, default)

    def set(self, key: str, value: Any) -> None:
        what = f"write {self.path.stem} {key}"
        if self.path.stem == "state":
            what += " intention" if value["current"]["pending"] else " run"
        with self.points.crossing(what, self.points.asking_airflow):
            # In one step: the test reads it at any time.
            unfinished = self.path.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(self.read() | {key: value}))
            unfinished.replace(self.path)


@dataclass
class TaskInstance:
    """
    One task instance in a folder of its own; `options` are the operator's parameters.

    `clock_ahead` is how far Airflow's clock is ahead of dbt Cloud's; `lingers`, how many seconds
    after a trigger was sent again a run of the one before it may still come.
    """

    folder: Path
    options: dict[str, Any]
    dag_run_id: str
    retries: int = 2
    max_tries: int = 2
    try_number: int = 1
    clear_number: int = 0
    clock_ahead: timedelta = timedelta(0)
    lingers: float = 0.2
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def trace(self) -> list[str]:
        path = self.folder / "trace"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def xcoms(self) -> dict[str, Any]:
        path = self.folder / "xcom.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def memory(self) -> dict[str, Any]:
        return json.loads((self.folder / "state.json").read_text())["dbt_cloud"]

    def run(self, blow: Blow | None = None) -> dict[str, Any]:
        """One try, from `execute` to its end. `killed` is an outcome like any other."""
        outcome = self.wait(self.start(blow))
        self.outcomes.append(outcome)
        return outcome

    def retry(self, blow: Blow | None = None) -> dict[str, Any]:
        """Airflow's automatic retry."""
        self.try_number += 1
        return self.run(blow)

    def clear(self) -> None:
        """What Airflow does to a task that a person clears."""
        self.max_tries = self.try_number + self.retries
        self.clear_number += 1
        self.try_number += 1

    def start(self, blow: Blow | None = None) -> int:
        """Begin a try; its process id is for signals, and for `wait`."""
        (self.folder / "trace").unlink(missing_ok=True)
        (self.folder / "outcome").unlink(missing_ok=True)
        with warnings.catch_warnings():
            # The child uses none of this process's threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            self._in_child(self._whole_try, blow)
        return child

    def wait(self, child: int) -> dict[str, Any]:
        deadline = time.monotonic() + 300
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise TimeoutError(f"this try did not end:\n{self.log}")
            time.sleep(0.005)
        status = ended[1]
        if os.WIFSIGNALED(status):
            return {"killed": os.WTERMSIG(status)}
        return json.loads((self.folder / "outcome").read_text())

    def _in_child(self, act: Callable[[Points], Any], blow: Blow | None) -> None:
        outcome: dict[str, Any] = {}
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stdout))
        # A thread of the parent's is not there in a fork, although its pool believes so.
        SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)
        # aiohttp reads SSL_CERT_FILE when it is imported, which was before there was a server.
        aiohttp.connector._SSL_CONTEXT_VERIFIED = ssl.create_default_context()
        try:
            points = Points(blow, self.folder / "trace")
            points.install()
            outcome = {"returned": act(points)}
        except BaseException as error:  # noqa: BLE001 # a fork must never return into the test
            traceback.print_exc()
            outcome = {"raised": type(error).__name__, "words": str(error)}
        finally:
            (self.folder / "outcome").write_text(json.dumps(outcome))
            os._exit(0)

    def _whole_try(self, points: Points) -> Any:
        pacing.SHORTEST = 0.02
        one_run.PAUSES_UNTIL_FOUND = (0.05, 0.1, 0.2)
        one_run.TIME_LIMITS_UNTIL_NOTHING_COMES = self.lingers / SECONDS_PER_REQUEST
        late_runs.SECONDS_BETWEEN_SEARCHES = run_poller.SECONDS_BETWEEN_SEARCHES = 0.02
        clock.time = SimpleNamespace(time=lambda: time.time() + self.clock_ahead.total_seconds())
        operator, context = self._operator(), self._context(points)
        context["task"] = operator
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
        try:
            return _as_airflow_does(operator, operator.execute, context)
        except TaskDeferred as deferred:
            path, kwargs = deferred.trigger.serialize()
        assert path == "airflow_dbt_cloud.waiting.trigger.DbtCloudRunTrigger"
        event = asyncio.run(_first_event(DbtCloudRunTrigger(**json.loads(json.dumps(kwargs)))))
        resumed = self._operator()
        context["task"] = resumed
        event = json.loads(json.dumps(event))
        return _as_airflow_does(resumed, resumed.execute_complete, context, event)

    def _operator(self) -> DbtCloudJobOperator:
        with DAG("flights", schedule=None):
            return DbtCloudJobOperator(task_id="build", retries=self.retries, **self.options)

    def _context(self, points: Points) -> Any:
        xcom = FileStore(self.folder / "xcom.json", points)
        ti = SimpleNamespace(
            dag_id="flights",
            task_id="build",
            run_id=self.dag_run_id,
            map_index=-1,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=xcom.set,
            xcom_pull=xcom.get,
        )
        started_at = self.started_at + self.clock_ahead
        dag_run = SimpleNamespace(start_date=started_at, clear_number=self.clear_number)
        store = FileStore(self.folder / "state.json", points)
        return {"ti": ti, "dag_run": dag_run, "task_state_store": store}


def _as_airflow_does(operator: Any, act: Callable[..., Any], *arguments: Any) -> Any:
    runner = contextvars.copy_context()
    runner.run(ExecutorSafeguard.tracker.set, operator)
    if operator.execution_timeout is None:
        return runner.run(act, *arguments)
    try:
        with timeout(operator.execution_timeout.total_seconds()):
            return runner.run(act, *arguments)
    except AirflowTaskTimeout:
        operator.on_kill()
        raise


def run_to_the_end(work: Awaitable[Any]) -> Any:
    """
    `asyncio.run`, and the time that TLS connections take to close, which aiohttp leaves to it.

    One that is still open when the loop ends is complained about in whichever test comes next.
    """

    async def whole() -> Any:
        try:
            return await work
        finally:
            deadline = time.monotonic() + 30
            while open_connections() and time.monotonic() < deadline:  # noqa: ASYNC110 # no event
                await asyncio.sleep(0.01)

    return asyncio.run(whole())


def open_connections() -> int:
    """Those of the running loop; what it wakes itself up with is none."""
    return len(asyncio.get_running_loop()._selector.get_map()) - 1


async def _first_event(trigger: DbtCloudRunTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    return None
