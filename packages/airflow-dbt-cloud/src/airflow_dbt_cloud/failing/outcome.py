"""Collect what a run that has ended left behind, and find out why it failed if it did."""

from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

from airflow_dbt_cloud.calls.api_errors import DbtCloudApiError
from airflow_dbt_cloud.calls.artifacts import fetch_artifact, fetch_freshness, fetch_run_results
from airflow_dbt_cloud.calls.runs_api import Run, RunsApi
from airflow_dbt_cloud.failing.run_failures import DbtCloudTaskError, DbtFailedError, RunEndedError
from airflow_dbt_cloud.failing.triage import stale_sources, triage_run
from airflow_dbt_cloud.failure import DBT_CLOUD, Failure
from dbt_cloud_api.built_models import BuiltModel, built_models
from dbt_cloud_api.run_results import RunResults, UnreadableResultsError


MOST_RESUMED = 10


class Outcome:
    """
    The artifacts of a run, fetched when they are needed.

    A run is what its status says: an artifact that cannot be had fails nothing, and is left out.
    """

    def __init__(self, hook: DbtCloudHook, account_id: int | None) -> None:
        self.hook, self.account_id = hook, account_id
        self._artifacts: list[dict[str, Any]] = []
        self._lacks_results = False

    def results(self, run: Run) -> RunResults:
        """Fetch and join the results of the run's commands. `run` needs its `run_steps`."""
        try:
            self._artifacts = fetch_run_results(
                run["id"], self.hook, account_id=self.account_id, steps=run.get("run_steps") or ()
            )
        except DbtCloudApiError as error:
            self._lacks_results = True
            self.hook.log.warning("%s. The results of the nodes are missing below.", error)
        try:
            return RunResults.parse(self._artifacts)
        except UnreadableResultsError as error:
            self.hook.log.warning("%s", error)
            self._artifacts, self._lacks_results = [], True
            return RunResults.parse(())

    def built(self, run: Run, api: RunsApi) -> list[BuiltModel]:
        """Name what the run has built, and the runs that it resumed. Call `results` first."""
        try:
            artifacts = [*self._resumed(run, api), *self._artifacts]
            return built_models(RunResults.parse(artifacts))
        except (DbtCloudApiError, UnreadableResultsError) as error:
            self.hook.log.warning("%s. What the runs before had built is left out.", error)
            return built_models(RunResults.parse(self._artifacts))

    def _resumed(self, run: Run, api: RunsApi) -> list[dict[str, Any]]:
        """Fetch the results of the runs that this one resumed, the oldest first."""
        artifacts, resumed = list[dict[str, Any]](), run.get("retrying_run_id")
        for _ in range(MOST_RESUMED - 1):
            if not resumed:
                break
            earlier = api.run(resumed, "run_steps")
            steps = earlier["run_steps"]
            fetched = fetch_run_results(resumed, self.hook, account_id=self.account_id, steps=steps)
            artifacts[:0] = fetched
            resumed = earlier.get("retrying_run_id")
        return artifacts

    def why(self, run: Run, *, resumes: bool) -> tuple[Failure, type[DbtCloudTaskError]]:
        """Say why the run did not succeed, and which exception that is. Call `results` first."""
        manifest: dict[str, Any] = {}
        stale: tuple[str, ...] = ()
        try:
            if self._artifacts:
                manifest = (
                    fetch_artifact(self.hook, run["id"], "manifest.json", None, self.account_id)
                    or {}
                )
            stale = stale_sources(
                fetch_freshness(self.hook, run["id"], run.get("run_steps") or (), self.account_id)
            )
        except (DbtCloudApiError, UnreadableResultsError) as error:
            self.hook.log.warning("%s. Files, owners or stale sources are missing below.", error)
        can_resume = resumes and bool(run.get("can_retry"))
        failure = triage_run(
            run,
            self._artifacts,
            manifest,
            stale,
            resumes=can_resume,
            lacks_results=self._lacks_results,
        )
        return failure, RunEndedError if failure.side == DBT_CLOUD else DbtFailedError
