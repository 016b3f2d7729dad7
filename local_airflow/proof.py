"""
The proof of `make run`: what Airflow says and what dbt Cloud says, compared.

Airflow's side is the dag_run, the run id that the operator left as XCom and the summary that a
task kept. dbt Cloud's side is asked directly, over its own API.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local_airflow.dag_run import DagRun
from local_airflow.dbt_cloud_api import DbtCloudApi
from local_airflow.terminal import painted


SUCCESS = 10

# `dbt docs generate` writes a run_results.json as well, in which nothing ran.
COMMANDS_WITH_RESULTS = re.compile(
    r"Invoke dbt with `dbt (?:build|run|test|seed|snapshot|retry|clone)\b"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One statement on which both sides must agree."""

    statement: str
    holds: bool


@dataclass(frozen=True, slots=True)
class DbtCloudSide:
    """What dbt Cloud says of a run: the run itself, and all its run_results.json together."""

    run: dict[str, Any]
    invocation_ids: list[str]
    counts: dict[str, int]

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
            Check("the dbt Cloud run is Success", run["status"] == SUCCESS),
            Check("its cause names this dag_run", self.dag_run.dag_run_id in self.dbt_cloud.cause),
        ]
        if self.summary is not None:
            same_invocations = self.summary["invocation_ids"] == self.dbt_cloud.invocation_ids
            same_counts = self.summary["counts"] == self.dbt_cloud.counts
            checks += [
                Check("the XCom names the artifact's invocation", same_invocations),
                Check("the XCom has the artifact's counts", same_counts),
            ]
        return checks

    def lines(self) -> Iterator[str]:
        run = self.dbt_cloud.run
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.dbt_cloud.counts.items()))
        yield f"  Airflow dag_run   {self.dag_run.dag_run_id}  {self.dag_run.state}"
        yield f"                    {self.dag_run.url}"
        yield f"  dbt Cloud run     {run['id']}  {run['status_humanized']}, took {run['duration']}"
        yield f"                    {run['href']}"
        yield f"  its cause         {self.dbt_cloud.cause}"
        yield f"  its invocation    {', '.join(self.dbt_cloud.invocation_ids) or 'none'}"
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
    artifacts = [
        dbt_cloud.run_results(run_id, step["index"])
        for step in run["run_steps"]
        if COMMANDS_WITH_RESULTS.match(step["name"])
    ]
    written = [artifact for artifact in artifacts if artifact]
    # A node that ran in two commands counts once, with its last result.
    status = {node["unique_id"]: node["status"] for each in written for node in each["results"]}
    return DbtCloudSide(
        run=run,
        invocation_ids=[each["metadata"]["invocation_id"] for each in written],
        counts=dict(Counter(status.values())),
    )
