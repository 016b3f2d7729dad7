"""
Waits in the triggerer for a dbt Cloud run to end.

Airflow's triggerer imports this class by its path, so it lives here and not in a DAG file.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.one_run.late_runs import LateRuns
from airflow_dbt_cloud.waiting.pacing import SAMPLE, seconds_until_next_look, usual_seconds
from airflow_dbt_cloud.waiting.run_log import Position, new_lines
from airflow_dbt_cloud.waiting.run_poller import RunPoller


SECONDS_TO_CANCEL = 25.0
USUAL_IS_KNOWN_FOR = 600.0

# By event loop, then by connection, account and longest pause. A triggerer has one event loop.
_pollers: WeakKeyDictionary[Any, dict[tuple[Any, ...], RunPoller]] = WeakKeyDictionary()
_usual: dict[tuple[Any, ...], tuple[float, float | None]] = {}


def poller_of(conn_id: str, account_id: int | None) -> RunPoller:
    """Give the poller that all triggers of this event loop share for an account."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, account_id)
    if key not in pollers:
        pollers[key] = RunPoller(lambda: AsyncDbtCloudApi(conn_id, account_id))
    return pollers[key]


class DbtCloudRunTrigger(BaseTrigger):
    """
    Fires once, when the run has ended, when time is up, or when waiting has become pointless.

    `end_time` and `execution_deadline` are moments in seconds since 1970; `position` says how much
    of the run's log has been shown, and `log_interval` how often to show more of it. `late` is what
    `LateRuns` stores, of a task that had no answer to one of its triggers.
    """

    def __init__(  # noqa: PLR0913 # the triggerer restores it from these, one by one
        self,
        *,
        conn_id: str,
        account_id: int | None,
        job_id: int,
        run_id: int,
        created_at: float,
        end_time: float,
        execution_deadline: float | None,
        check_interval: float,
        log_interval: float | None = None,
        position: Position | None = None,
        late: dict[str, Any] | None = None,
        **of_another_version: Any,  # noqa: ARG002 # what waits over an upgrade, or back, goes on
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.conn_id, self.account_id = conn_id, account_id
        self.job_id, self.run_id = job_id, run_id
        self.created_at, self.end_time = created_at, end_time
        self.execution_deadline = execution_deadline
        self.check_interval, self.log_interval = check_interval, log_interval
        self.position = position or {}
        self.late = late

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = (
            *("conn_id", "account_id", "job_id", "run_id", "created_at", "end_time"),
            *("execution_deadline", "check_interval", "log_interval", "position", "late"),
        )
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    @property
    def deadline(self) -> float:
        return min(self.end_time, self.execution_deadline or self.end_time)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call] # Airflow's

    async def _outcome(self) -> dict[str, Any]:
        showing = None
        if self.log_interval:
            showing = asyncio.create_task(self._show_log(self.log_interval))
        try:
            async with asyncio.timeout(max(self.deadline - time.time(), 0)):
                run = await self._wait()
        except TimeoutError:
            return self._event("timeout", self._reason_of_timeout())
        except DbtCloudApiError as error:
            return self._event("lost", str(error), side=error.side)
        finally:
            if showing is not None:
                showing.cancel()
        return self._event("ended", f"Run {self.run_id} is {run['status_humanized']}.")

    async def _wait(self) -> dict[str, Any]:
        self.log.info("Waiting for dbt Cloud run %s.", self.run_id)
        return await poller_of(self.conn_id, self.account_id).wait(
            self.run_id,
            created_at=self.created_at,
            usual=await self._usual_seconds(),
            longest=self.check_interval,
            tell=self.log.warning,
            late=LateRuns.from_stored(self.late),
        )

    async def _usual_seconds(self) -> float | None:
        """Ask once in a while, for all who wait for a run of the job; never fail for it."""
        key = (self.conn_id, self.account_id, self.job_id)
        until, known = _usual.get(key, (0.0, None))
        if time.monotonic() < until:
            return known
        # Whoever comes meanwhile does without, instead of asking the same.
        _usual[key] = (time.monotonic() + USUAL_IS_KNOWN_FOR, known)
        api = AsyncDbtCloudApi(self.conn_id, self.account_id)
        try:
            usual = usual_seconds(await api.newest_successes(self.job_id, SAMPLE))
        except DbtCloudApiError:
            return known
        finally:
            await api.close()
        _usual[key] = (time.monotonic() + USUAL_IS_KNOWN_FOR, usual)
        return usual

    async def _show_log(self, interval: float) -> None:
        api = AsyncDbtCloudApi(self.conn_id, self.account_id)
        try:
            while True:
                # As the looks at the run: quick at first, and then as seldom as was asked for.
                age = time.time() - self.created_at
                await asyncio.sleep(seconds_until_next_look(age, None, interval))
                try:
                    run = await api.run(self.run_id, "run_steps")
                except DbtCloudApiError as error:
                    self.log.warning("%s. The log of the run follows later.", error)
                    continue
                lines, self.position = new_lines(run, self.position)
                for line in lines:
                    self.log.info(line)
        finally:
            await api.close()

    def _reason_of_timeout(self) -> str:
        which = "timeout" if self.deadline == self.end_time else "execution_timeout"
        return f"Run {self.run_id} has not ended before the task's {which}."

    def _event(self, status: str, message: str, **more: Any) -> dict[str, Any]:
        return {
            "status": status,
            "run_id": self.run_id,
            "message": message,
            "position": self.position,
            "late": self.late,
            **more,
        }

    async def on_kill(self) -> None:
        """
        End the run in dbt Cloud, because a person has ended the task in Airflow.

        Airflow calls this when a waiting task is marked or cleared, not when a triggerer stops.
        """
        api = AsyncDbtCloudApi(self.conn_id, self.account_id)
        failures = 0
        try:
            async with asyncio.timeout(SECONDS_TO_CANCEL):
                while True:
                    try:
                        run = await api.cancel(self.run_id)
                    except DbtCloudApiError as error:
                        if not error.is_passing:
                            self.log.error("dbt Cloud run %s goes on. %s", self.run_id, error)  # noqa: TRY400 # a traceback says nothing more
                            return
                        failures += 1
                        await asyncio.sleep(backoff(failures, error.retry_after))
                    else:
                        break
            self.log.info(
                "Cancelled dbt Cloud run %s: the task was ended in Airflow. The run is %s.",
                self.run_id,
                run["status_humanized"],
            )
        except TimeoutError:
            self.log.error("dbt Cloud run %s may go on: it was not cancelled in time.", self.run_id)  # noqa: TRY400 # as above
        finally:
            await api.close()
