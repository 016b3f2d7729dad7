"""Wait, inside a DAG, for the newest run of a dbt Cloud job, whoever starts it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.async_api import AsyncDbtCloudApi
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.runs_api import HookRunsApi
from airflow_dbt_cloud.failing.outcome import Outcome
from airflow_dbt_cloud.failing.run_failures import DbtCloudTaskError, RefusedError, RunTimeoutError
from airflow_dbt_cloud.failing.triage import triage_error
from airflow_dbt_cloud.failure import AIRFLOW
from dbt_cloud_api.connection_settings import CONNECTION_ID
from dbt_cloud_api.run_status import FINAL, RunStatus


if TYPE_CHECKING:
    from airflow.sdk import Context


class DbtCloudNewestRunSensor(BaseOperator):
    """
    Succeeds when a run of the job has ended after `since`, and fails when that run did.

    It asks dbt Cloud what is so, and keeps nothing: no restart makes it miss a run, and no run
    makes it succeed twice. `since` is a template; by default it is when the dag_run began.
    With `soft_fail` it is skipped where it would fail.
    """

    template_fields = ("dbt_cloud_conn_id", "job_id", "since")

    def __init__(
        self,
        *,
        job_id: int | str,
        since: str = "{{ dag_run.start_date.isoformat() }}",
        dbt_cloud_conn_id: str = CONNECTION_ID,
        poll_interval: float = 30,
        timeout: float = 60 * 60 * 24,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.soft_fail = soft_fail
        self.job_id, self.since, self.dbt_cloud_conn_id = job_id, since, dbt_cloud_conn_id
        self.poll_interval, self.timeout = poll_interval, timeout

    def execute(self, context: "Context") -> None:  # noqa: ARG002 # Airflow's name
        trigger = DbtCloudNewestRunTrigger(
            conn_id=self.dbt_cloud_conn_id,
            job_id=int(self.job_id),
            since=self.since,
            poll_interval=self.poll_interval,
            end_time=time.time() + self.timeout,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> int:
        """Answer the run, or say why it failed."""
        try:
            return self._result(context, event)
        except DbtCloudTaskError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _result(self, context: "Context", event: dict[str, Any]) -> int:
        if event["status"] == "timeout":
            raise RunTimeoutError(triage_error(TimeoutError(event["message"]), AIRFLOW, None, None))
        if event["status"] == "lost":
            raise RefusedError(
                triage_error(RuntimeError(event["message"]), event["side"], None, None)
            )
        hook = PatientDbtCloudHook(self.dbt_cloud_conn_id)
        run = HookRunsApi(hook, None).run(event["run_id"], "run_steps", "trigger")
        context["ti"].xcom_push(key="job_run_url", value=run["href"])
        if RunStatus(run["status"]) is RunStatus.SUCCESS:
            self.log.info("dbt Cloud run %s has succeeded: %s", run["id"], run["href"])
            return int(run["id"])
        outcome = Outcome(hook, None)
        outcome.results(run)
        failure, kind = outcome.why(run, resumes=False)
        raise kind(failure)


class DbtCloudNewestRunTrigger(BaseTrigger):
    """Fires once, with the latest run of a job that ended after a moment."""

    def __init__(
        self, *, conn_id: str, job_id: int, since: str, poll_interval: float, end_time: float
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's
        self.conn_id, self.job_id, self.since = conn_id, job_id, since
        self.poll_interval, self.end_time = poll_interval, end_time

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("conn_id", "job_id", "since", "poll_interval", "end_time")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call] # Airflow's

    async def _outcome(self) -> dict[str, Any]:
        api = AsyncDbtCloudApi(self.conn_id, None)
        failures = 0
        try:
            while time.time() < self.end_time:
                pause = self.poll_interval
                try:
                    ended = await api.ended_runs(
                        self.job_id, FINAL, datetime.fromisoformat(self.since)
                    )
                except DbtCloudApiError as error:
                    if not error.is_passing:
                        return {"status": "lost", "message": str(error), "side": error.side}
                    failures += 1
                    pause = backoff(failures, error.retry_after)
                    self.log.warning("%s. Looking again in %.1f s.", error, pause)
                else:
                    if ended:
                        return {"status": "ended", "run_id": ended[0]["id"]}
                await asyncio.sleep(min(pause, max(self.end_time - time.time(), 0)))
        finally:
            await api.close()
        message = f"No run of job {self.job_id} has ended since {self.since}."
        return {"status": "timeout", "message": message}
