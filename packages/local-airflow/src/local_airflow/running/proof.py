"""
The proof of `make run`: what Airflow says and what dbt Cloud says, compared.

Airflow's side is the dag_run, the run id that the operator left as XCom and the summary that a
task kept. dbt Cloud's side is asked directly, over its own API.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.dbt_commands import steps_with_results
from dbt_cloud_api.run_results import RunResults, UnreadableResultsError
from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.user_error import UserError
from local_airflow.base.terminal import painted
from local_airflow.running.dag_run import DagRun


@dataclass(frozen=True, slots=True)
class Check:
    """One statement on which both sides must agree."""

    statement: str
    holds: bool


@dataclass(frozen=True, slots=True)
class DbtCloudSide:
    """What dbt Cloud says of a run: the run itself, and all its run_results.json together."""

    run: dict[str, Any]
    results: RunResults

    @property
    def cause(self) -> str:
        return str((self.run.get("trigger") or {}).get("cause") or "")


@dataclass(frozen=True, slots=True)
class Proof:
    """One dbt Cloud run of a dag_run, seen from both sides. `summary` is None if none was kept."""

    dag_run: DagRun
    dbt_cloud: DbtCloudSide
    summary: dict[str, Any] | None

    def checks(self) -> list[Check]:
        run = self.dbt_cloud.run
        checks = [
            Check("Airflow's dag_run is success", self.dag_run.state == "success"),
            Check("the dbt Cloud run is Success", run["status"] == RunStatus.SUCCESS),
            Check("its cause names this dag_run", self.dag_run.dag_run_id in self.dbt_cloud.cause),
        ]
        if self.summary is not None:
            artifacts = self.dbt_cloud.results.summary()
            same = {
                key: self.summary[key] == artifacts[key] for key in ("invocation_ids", "counts")
            }
            checks += [
                Check("the XCom names the artifact's invocation", same["invocation_ids"]),
                Check("the XCom has the artifact's counts", same["counts"]),
            ]
        return checks

    def lines(self) -> Iterator[str]:
        run, results = self.dbt_cloud.run, self.dbt_cloud.results
        by_status = sorted(results.count_by_status().items())
        counts = ", ".join(f"{count} {status}" for status, count in by_status)
        yield f"  Airflow dag_run   {self.dag_run.dag_run_id}  {self.dag_run.state}"
        yield f"                    {self.dag_run.url}"
        yield f"  dbt Cloud run     {run['id']}  {run['status_humanized']}, took {run['duration']}"
        yield f"                    {run['href']}"
        yield f"  its cause         {self.dbt_cloud.cause}"
        yield f"  its invocation    {', '.join(results.invocation_ids) or 'none'}"
        yield f"  its results       {counts or 'none'}"
        yield ""
        for check in self.checks():
            sign = painted("✓", "green") if check.holds else painted("✗", "red")
            yield f"  {sign} {check.statement}"


def gather(dag_run: DagRun, dbt_cloud: DbtCloudApi) -> list[Proof]:
    """Collect a proof for every dbt Cloud run that a task of the dag_run started."""
    summaries = {
        value["dbt_cloud_run_id"]: value
        for value in xcoms(dag_run, "return_value")
        if isinstance(value, dict) and "dbt_cloud_run_id" in value
    }
    return [
        Proof(dag_run, _ask(dbt_cloud, run_id), summaries.get(run_id))
        for run_id in xcoms(dag_run, "job_run_id")
    ]


def xcoms(dag_run: DagRun, key: str) -> list[Any]:
    entries = dag_run.api.get(f"{dag_run.path}/taskInstances/~/xcomEntries", xcom_key=key)
    return [
        dag_run.api.get(
            f"{dag_run.path}/taskInstances/{quote(entry['task_id'])}/xcomEntries/{key}",
            map_index=entry["map_index"],
            deserialize=True,
        )["value"]
        for entry in entries["xcom_entries"]
        if entry["key"] == key
    ]


def _ask(dbt_cloud: DbtCloudApi, run_id: int) -> DbtCloudSide:
    run = dbt_cloud.run(run_id)
    steps = steps_with_results(run["run_steps"])
    artifacts = (dbt_cloud.run_results(run_id, step) for step in steps)
    try:
        return DbtCloudSide(run, RunResults.parse(each for each in artifacts if each))
    except UnreadableResultsError as error:
        raise UserError(
            f"what dbt Cloud run {run_id} did cannot be compared",
            f"{error}.",
            (f"To look at the run:   make open WHAT={run['href']}",),
        ) from None
