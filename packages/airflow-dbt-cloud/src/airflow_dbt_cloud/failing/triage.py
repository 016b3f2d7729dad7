"""
Why a task failed, in plain words: which side, which node, whose it is, and what to do next.

Reads what the API and dbt's artifacts say, and computes; imports nothing of Airflow.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_dbt_cloud.failure import (
    AIRFLOW,
    CREDENTIALS,
    DBT_CLOUD,
    DBT_NODE,
    DBT_PROJECT,
    MOST_IN_XCOM,
    NETWORK,
    FailedNode,
    Failure,
)
from airflow_dbt_cloud.waiting.run_log import last_lines
from dbt_cloud_api.dbt_commands import command_of
from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.run_picture import neighbours, owner
from dbt_cloud_api.run_results import FAILED, SKIPPED, WARNED, NodeResult, RunResults, part_of
from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.source_freshness import OVERDUE, freshness_of


LINES_OF_A_STEP = 15
# A message is cut before it goes into an XCom.
LONGEST_MESSAGE = 2000


def triage_run(
    run: Mapping[str, Any],
    artifacts: Iterable[dict[str, Any]],
    manifest: Mapping[str, Any],
    stale: tuple[str, ...] = (),
    *,
    resumes: bool,
    lacks_results: bool = False,
) -> Failure:
    """
    Say why a run did not succeed. `run` needs its `run_steps`.

    `resumes` is whether the task, cleared, goes on where the run failed; `lacks_results`, whether
    there may be results of nodes that could not be had.
    """
    results = RunResults.parse(artifacts)
    failed_nodes = (node for node in results.nodes if node.status in FAILED)
    failed = tuple(
        # Behind thousands of nodes thousands were skipped: only of the first it is ever shown.
        _failed_node(node, results, manifest, shows_skipped=number < MOST_IN_XCOM)
        for number, node in enumerate(failed_nodes)
    )
    status = RunStatus(run["status"])
    common: dict[str, Any] = {
        "run_id": run["id"],
        "link": run["href"],
        "failed": failed,
        "warned": tuple(node.name for node in results.nodes if node.status in WARNED),
        "stale": stale,
    }
    step = failed_step(run)
    if status is RunStatus.CANCELLED:
        return _cancelled(run, common)
    if step is None:
        return _broken(run, common)
    common["step"] = f"{step['index']}, {step['name']}"
    if failed:
        return _nodes_failed(run, failed, common, resumes=resumes)
    if stale and command_of(step["name"]).looks_at_freshness:
        return _sources_stale(run, common)
    if lacks_results:
        reached = "failed, and which node it was cannot be told without its results"
    elif results.nodes:
        reached = "failed, although no node did"
    else:
        reached = "failed before any node ran"
    return _project_failed(dict(run), step, reached, common, resumes=resumes)


def triage_error(error: Exception, side: str, run_id: int | None, link: str | None) -> Failure:
    """Say why a task failed without a run that failed: a refusal, the network, Airflow itself."""
    next_step = {
        AIRFLOW: (
            "give the task more time or find out why the run is slow, then Clear this task."
            if isinstance(error, TimeoutError)
            else "mend the job or the parameters that the message names, then Clear this task."
        ),
        CREDENTIALS: (
            "put a token that may run the job into the Airflow connection, and its host, "
            "then Clear this task: it goes on with the same run if there is one."
        ),
        NETWORK: "see whether this machine reaches dbt Cloud, then Clear this task.",
        DBT_CLOUD: (
            "see in dbt Cloud whether the job and the run are there, and its status page, "
            "then Clear this task."
        ),
    }[side]
    return Failure(
        side=side,
        headline=str(error) or type(error).__name__,
        next_step=next_step,
        run_id=run_id,
        link=link,
    )


def failed_step(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Find the first step that ended in an error; stale sources are blamed only if alone.

    None too where a step was cancelled instead: the run broke off, and that is nobody's step.
    """
    steps = run.get("run_steps") or []
    failed = [step for step in steps if step.get("status") == int(RunStatus.ERROR)]
    blamed = [step for step in failed if not command_of(step["name"]).looks_at_freshness]
    if not blamed and any(step.get("status") == int(RunStatus.CANCELLED) for step in steps):
        return None
    return next(iter(blamed or failed), None)


def stale_sources(sources: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the sources that `dbt source freshness` found too old (`sources.json`, schema v3)."""
    return tuple(
        f"{source.name} ({source.status})"
        for source in freshness_of(sources, manifest={})
        if source.status in OVERDUE or source.status == "warn"
    )


def _nodes_failed(
    run: Mapping[str, Any],
    failed: tuple[FailedNode, ...],
    common: dict[str, Any],
    *,
    resumes: bool,
) -> Failure:
    what = "node" if len(failed) == 1 else "nodes"
    again = f"it resumes at {failed[0].name}" if resumes else "it starts a new run"
    return Failure(
        side=DBT_NODE,
        headline=f"dbt Cloud run {run['id']} failed: {len(failed)} dbt {what} failed.",
        next_step=f"mend the {failed[0].kind}, then Clear this task: {again}.",
        **common,
    )


def _sources_stale(run: Mapping[str, Any], common: dict[str, Any]) -> Failure:
    return Failure(
        side=DBT_NODE,
        headline=f"dbt Cloud run {run['id']} failed: sources have no fresh data.",
        next_step="load the sources, then Clear this task: it starts a new run.",
        **common,
    )


def _project_failed(
    run: dict[str, Any],
    step: dict[str, Any],
    reached: str,
    common: dict[str, Any],
    *,
    resumes: bool,
) -> Failure:
    again = "it resumes at this step" if resumes else "it starts a new run"
    return Failure(
        side=DBT_PROJECT,
        headline=f"dbt Cloud run {run['id']} {reached}: {step['name']}.",
        next_step=f"mend what the lines above name, then Clear this task: {again}.",
        log=tuple(last_lines(run, step["index"], LINES_OF_A_STEP)),
        **common,
    )


def _cancelled(run: Mapping[str, Any], common: dict[str, Any]) -> Failure:
    message = run.get("status_message") or "It does not say by whom."
    return Failure(
        side=DBT_CLOUD,
        headline=f"dbt Cloud run {run['id']} was cancelled: {message}",
        next_step="find out who or what ended it, then Clear this task: it starts a new run.",
        **common,
    )


def _broken(run: Mapping[str, Any], common: dict[str, Any]) -> Failure:
    message = run.get("status_message") or "No step of it failed."
    return Failure(
        side=DBT_CLOUD,
        headline=f"dbt Cloud run {run['id']} ended in an error of dbt Cloud: {message}",
        next_step="Clear this task: it starts a new run.",
        **common,
    )


def _failed_node(
    node: NodeResult, results: RunResults, manifest: Mapping[str, Any], *, shows_skipped: bool
) -> FailedNode:
    skipped = _skipped_below(node.unique_id, results, manifest) if shows_skipped else ()
    file = part_of(manifest, "nodes", node.unique_id).get("original_file_path")
    return FailedNode(
        unique_id=node.unique_id,
        kind=node.kind,
        name=node.name,
        message=_cut(node.message),
        file=one_line(file) if isinstance(file, str) else "",
        owner=owner(node.unique_id, manifest),
        skipped=tuple(skipped),
    )


def _skipped_below(
    unique_id: str, results: RunResults, manifest: Mapping[str, Any]
) -> Iterable[str]:
    """Name the nodes that were skipped and depend, over any number of steps, on this one."""
    seen, front = set[str](), [unique_id]
    while front:
        children = neighbours(manifest, "child_map", front.pop())
        below = [each for each in children if each not in seen]
        seen.update(below)
        front += below
    # A failed dbt test skips what depends on the model that it tests.
    tested = part_of(manifest, "nodes", unique_id).get("attached_node")
    if isinstance(tested, str):
        seen.update(neighbours(manifest, "child_map", tested))
    seen.intersection_update(results.names(SKIPPED))
    return [node.name for node in results.nodes if node.unique_id in seen]


def _cut(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
