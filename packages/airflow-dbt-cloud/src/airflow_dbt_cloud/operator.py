"""
Run a dbt Cloud job from a task, exactly once, and say in plain words why it failed.

`DbtCloudJobOperator` is the provider's operator with the same parameters, the same links and the
same OpenLineage. docs/operator.md tells what is different, and why.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_dbt_cloud import operator_parameters as parameters
from airflow_dbt_cloud.assets import MODELS, publish
from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.hook import SECONDS_PER_REQUEST, PatientDbtCloudHook
from airflow_dbt_cloud.calls.job_names import (
    JobNames,
    JobsApi,
    TaskConfigurationError,
    find_job,
    job_number,
)
from airflow_dbt_cloud.calls.runs_api import HookRunsApi, Run
from airflow_dbt_cloud.failing.notifications import tell_people
from airflow_dbt_cloud.failing.outcome import Outcome
from airflow_dbt_cloud.failing.run_failures import RefusedError, RunTimeoutError, UnreachableError
from airflow_dbt_cloud.failing.triage import triage_error
from airflow_dbt_cloud.failure import AIRFLOW, DBT_CLOUD, Failure
from airflow_dbt_cloud.named_jobs.missing_job import JobCreationLostError, MissingJob
from airflow_dbt_cloud.one_run.cancelling import cancel_run, find_left_behind
from airflow_dbt_cloud.one_run.cause import cause_for
from airflow_dbt_cloud.one_run.late_runs import LateRuns, LateRunSearch
from airflow_dbt_cloud.one_run.one_run import OneRun, RunRequest, TaskStoppedError, TriggerLostError
from airflow_dbt_cloud.one_run.task_memory import Place, TaskMemory
from airflow_dbt_cloud.waiting.run_log import Position, new_lines
from airflow_dbt_cloud.waiting.trigger import DbtCloudRunTrigger
from airflow_dbt_cloud.waiting.waiting import Waiting
from dbt_cloud_api.run_status import RunStatus


if TYPE_CHECKING:
    from airflow.sdk import Context

# Airflow kills a task five seconds after it has told it to stop.
SECONDS_TO_CANCEL = 4.0
LONGEST_PAUSE = 10
FAILURE, RESULTS = "dbt_cloud_failure", "dbt_cloud_results"


class DbtCloudJobOperator(DbtCloudRunJobOperator):
    """
    Run a dbt Cloud job exactly once for each generation of the task, and wait for it.

    Takes every parameter of `DbtCloudRunJobOperator`. These differ or are new:

    :param deferrable: wait in the triggerer, not in a worker; on by default.
    :param check_interval: the longest pause, in seconds, between two looks at a run. It is looked
        at more often when it is young and when its job usually ends.
    :param timeout: seconds to wait for the run, which is then cancelled.
    :param resume: after a failure of dbt, a retry or a Clear goes on where the run failed; on by
        default. `retry_from_failure`, the provider's name, turns it on and off as well.
    :param model_assets: publish an asset event for every model that was built.
    :param create_if_missing: create the job that the three names say from dbt_cloud_jobs.yml when
        dbt Cloud does not have it.
    :param log_interval: the longest pause, in seconds, between two looks at the run's log while
        the task is deferred. None shows it when the run has ended, and costs no call.
    """

    def __init__(
        self,
        *,
        deferrable: bool = True,
        check_interval: int = LONGEST_PAUSE,
        resume: bool | None = None,
        retry_from_failure: bool | None = None,
        log_interval: float | None = None,
        model_assets: bool = False,
        create_if_missing: bool = False,
        **provider_parameters: Any,
    ) -> None:
        self.resume = parameters.resumes(resume=resume, retry_from_failure=retry_from_failure)
        super().__init__(
            deferrable=deferrable,
            check_interval=check_interval,
            retry_from_failure=self.resume,
            **provider_parameters,
        )
        if model_assets:
            self.outlets = [*self.outlets, MODELS]
        self.log_interval = log_interval
        self.model_assets = model_assets
        self.create_if_missing = create_if_missing
        parameters.validate(self)
        self._stop = threading.Event()
        self._is_over = False
        self._one_run: OneRun | None = None
        self._link: str | None = None
        self._position: Position = {}
        self._late: LateRuns | None = None
        self.published_models = 0

    def execute(self, context: "Context") -> int:
        with self._explained(context):
            run = self._settle(context)
            if not self.wait_for_termination:
                return int(run["id"])
            if RunStatus(run["status"]).is_final and self._late is None:
                return self._finish(context)
            if self.deferrable:
                self._wait_in_triggerer(run)
            self._wait_here(run)
            return self._finish(context)

    def execute_complete(self, context: "Context", event: dict[str, Any] | None = None) -> int:
        """Go on after the triggerer; what it says is never taken for success by itself."""
        event = event or {}
        self.run_id = int(event.get("run_id") or context["ti"].xcom_pull(key="job_run_id"))
        self._position = event.get("position") or {}
        self._late = LateRuns.from_stored(event.get("late"))
        with self._explained(context):
            if event.get("status") == "timeout":
                # It may have ended while no triggerer was there to see it.
                if RunStatus(self._api.run(self.run_id)["status"]).is_final:
                    return self._finish(context)
                raise TimeoutError(event["message"])
            if event.get("status") == "lost":
                lost = self._triage(RuntimeError(event["message"]), event["side"])
                raise self._failed(context, lost, RefusedError)
            return self._finish(context)

    def on_kill(self) -> None:
        """End the run in dbt Cloud; Airflow calls this when the task is killed or times out."""
        self._stop.set()
        if self.run_id is not None:
            self._cancel("The task was ended in Airflow.")

    @cached_property
    def hook(self) -> PatientDbtCloudHook:
        ignored = parameters.ignored_hook_parameters(self)
        if ignored:
            self.log.warning("hook_params: patience stands in for %s.", " and ".join(ignored))
        options = {"sleep": self._pause, **self.hook_params}
        return PatientDbtCloudHook(self.dbt_cloud_conn_id, **options)

    @property
    def _account(self) -> int | None:
        return parameters.account_number(self.account_id)

    @property
    def _api(self) -> HookRunsApi:
        return HookRunsApi(self.hook, self._account)

    def _settle(self, context: "Context") -> Run:
        """Find, resume or start the run, and make it known to the rest of the DAG."""
        store, attempt = context.get("task_state_store"), parameters.attempt_of(context)
        # A retry goes on with the job that its generation has begun with, if it has no number.
        begun_with = TaskMemory.job_begun_with(store, attempt) if self.job_id is None else None
        job_id = begun_with or self._job_number()
        place = Place(self.dbt_cloud_conn_id, self._account, job_id)
        memory = TaskMemory.open(store, attempt, place)
        one_run = self._one_run = OneRun(
            api=self._api,
            memory=memory,
            request=RunRequest(job_id, parameters.overrides_now(self), self.resume),
            cause=cause_for(
                context["ti"],
                memory.key,
                self.trigger_reason,
                with_lineage=self.openlineage_inject_parent_job_info,
            ),
            log=self.log,  # type: ignore[arg-type] # structlog's, with the same methods
            is_killed=self._stop.is_set,
            sleep=self._pause,
        )
        run = one_run.find_or_start()
        self.job_id, self.run_id, self._link = job_id, run["id"], run["href"]
        self._late = one_run.late_runs(run, self.hook.timeout_seconds or SECONDS_PER_REQUEST)
        if self._stop.is_set():
            self._cancel("The task was ended while it was being triggered.")
            raise TaskStoppedError("The task was told to stop.")
        # The link "Monitor Job Run" reads the first of these.
        context["ti"].xcom_push(key="job_run_url", value=run["href"])
        context["ti"].xcom_push(key="job_run_id", value=run["id"])
        self._created_at = (
            datetime.fromisoformat(run["created_at"]).timestamp() - self._api.seconds_ahead
            if one_run.adopted
            else time.time()
        )
        return run

    def _job_number(self) -> int:
        if self.job_id is not None:
            return job_number(self.job_id)
        names = JobNames.of(self.project_name, self.environment_name, self.job_name)
        api = JobsApi(self.hook, self._account)
        if self.create_if_missing:
            return int(MissingJob(api, names, self.log, self._pause).settle()["id"])  # type: ignore[arg-type] # as above
        return int(find_job(api, names)["id"])

    def _wait_in_triggerer(self, run: Run) -> None:
        now = time.time()
        limit = self.execution_timeout
        self.defer(
            timeout=None,
            trigger=DbtCloudRunTrigger(
                conn_id=self.dbt_cloud_conn_id,
                account_id=self._account,
                job_id=int(self.job_id or 0),
                run_id=run["id"],
                created_at=self._created_at,
                end_time=now + self.timeout,
                execution_deadline=now + limit.total_seconds() if limit else None,
                check_interval=self.check_interval,
                log_interval=self.log_interval,
                late=self._late.as_stored() if self._late else None,
            ),
            method_name="execute_complete",
        )

    def _wait_here(self, run: Run) -> None:
        search = self._late_run_search()
        waiting = Waiting(
            api=self._api,
            longest=self.check_interval,
            deadline=time.time() + self.timeout,
            pause=self._pause,
            show=self._show,
            warn=self.log.warning,
            search=search.look if search else lambda: None,
            search_until=search.late.until if search else 0.0,
        )
        waiting.until_ended(run["id"], int(self.job_id or 0), self._created_at)
        self._pause(0)

    def _finish(self, context: "Context") -> int:
        """Show the rest of the log and the nodes; answer the run, or raise why it failed."""
        outcome = Outcome(self.hook, self._account)
        run = self._api.run(int(self.run_id or 0), "run_steps", "trigger")
        self._link, self._is_over = run["href"], True
        self._show(run)
        self._name_late_runs(context, run["href"])
        results = outcome.results(run)
        for line in results.table() if results.nodes else ():
            self.log.info(line)
        if RunStatus(run["status"]) is RunStatus.SUCCESS:
            context["ti"].xcom_push(key=RESULTS, value=results.summary())
            if self.model_assets:
                self.published_models = publish(context, outcome.built(run, self._api), run)
            self.log.info("dbt Cloud run %s has succeeded: %s", run["id"], run["href"])
            return int(run["id"])
        failure, kind = outcome.why(run, resumes=self.resume)
        raise self._failed(context, failure, kind)

    def _late_run_search(self) -> LateRunSearch | None:
        if self._late is None:
            return None
        return LateRunSearch(self._api, self._late, self.log)  # type: ignore[arg-type] # as above

    def _name_late_runs(self, context: "Context", link: str) -> None:
        """Tell people of runs that have ended beside the task's own."""
        search = self._late_run_search()
        if search is None:
            return
        try:
            ended = search.settle()
        except DbtCloudApiError as error:
            self.log.warning("%s. Whether another run has ended beside it is not known.", error)
            return
        if ended:
            told = search.late.why_told(ended, link)
            self.log.warning("%s", told)
            tell_people(context, "ran more than once", told, self.log)

    def _show(self, run: Run) -> None:
        lines, self._position = new_lines(run, self._position)
        for line in lines:
            self.log.info(line)

    def _failed(self, context: "Context", failure: Failure, kind: type[Any]) -> Exception:
        context["ti"].xcom_push(key=FAILURE, value=failure.as_xcom())
        error: Exception = kind(failure)
        return error

    @contextmanager
    def _explained(self, context: "Context") -> Iterator[None]:
        """Turn what can go wrong on the way to dbt Cloud into a failure that says so."""
        try:
            yield
        except DbtCloudApiError as error:
            kind = UnreachableError if error.is_passing else RefusedError
            raise self._failed(context, self._triage(error, error.side), kind) from error
        except TaskConfigurationError as error:
            raise self._failed(context, error.failure(), RefusedError) from None
        except (TriggerLostError, JobCreationLostError) as error:
            raise self._failed(context, self._triage(error, DBT_CLOUD), UnreachableError) from error
        except (TimeoutError, AirflowTaskTimeout) as error:
            # Airflow's own limit, execution_timeout, interrupts whatever the task is doing.
            late = self._end_late()
            raise self._failed(context, self._triage(late, AIRFLOW), RunTimeoutError) from error

    def _triage(self, error: Exception, side: str) -> Failure:
        return triage_error(error, side, self.run_id, self._link)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise TaskStoppedError("The task was told to stop.")

    def _end_late(self) -> TimeoutError:
        """Cancel the run because time is up, also one of which the task has not heard yet."""
        if self.run_id is None and self._one_run is not None:
            left_behind = find_left_behind(self._one_run)
            self.run_id = int(left_behind["id"]) if left_behind else None
        if self.run_id is None:
            return TimeoutError("The time that the task has was over before it had a run.")
        late = TimeoutError(f"Run {self.run_id} has not ended in the time the task has.")
        self._cancel(str(late))
        return late

    def _cancel(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        hook = self.hook.beside(timeout_seconds=3, patience=SECONDS_TO_CANCEL)
        cancel_run(HookRunsApi(hook, self._account), int(self.run_id or 0), reason, self.log)  # type: ignore[arg-type] # as above
