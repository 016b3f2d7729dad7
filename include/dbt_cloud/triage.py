"""
Why a task failed, in plain words: which side, which node, whose it is, and what to do next.

Reads what the API and dbt's artifacts say, and computes; imports nothing of Airflow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from include.dbt_cloud.run_log import last_lines
from include.dbt_cloud.run_status import RunStatus
from include.run_picture import owner
from include.run_results import FAILED, SKIPPED, WARNED, NodeResult, RunResults


DBT_NODE, DBT_PROJECT, DBT_CLOUD = "dbt node", "dbt project", "dbt Cloud"
CREDENTIALS, NETWORK, AIRFLOW = "credentials", "network", "Airflow"

STALE = frozenset({"warn", "error", "runtime error"})
LINES_OF_A_STEP = 15
MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class FailedNode:
    """A node that failed, where to mend it, and what did not run because of it."""

    unique_id: str
    kind: str
    name: str
    message: str
    file: str
    owner: str
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Everything worth knowing of one failed task; `asdict` makes the XCom of it.

    `log` is the end of the failed step's own output, where no node is to blame. `warned` and
    `stale` (sources without fresh data) are not the reason, and stand apart.
    """

    side: str
    headline: str
    next_step: str
    run_id: int | None = None
    link: str | None = None
    step: str | None = None
    failed: tuple[FailedNode, ...] = ()
    warned: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    log: tuple[str, ...] = ()

    def as_xcom(self) -> dict[str, Any]:
        """Give it as JSON can hold it."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def lines(self) -> list[str]:
        """Lay it out for the end of a task log or a message to a person."""
        lines = [self.headline, f"  side: {self.side}"]
        for node in self.failed:
            where = ", ".join(filter(None, (node.file, f"owner {node.owner or 'unknown'}")))
            lines.append(f"  {node.kind} {node.name} ({where})")
            lines += [f"      {line}" for line in node.message.splitlines() if line.strip()]
            if node.skipped:
                lines.append(f"      skipped because of it: {_names(node.skipped)}")
        lines += [f"      {line}" for line in self.log]
        if self.warned:
            lines.append(f"  warned, which fails nothing: {_names(self.warned)}")
        if self.stale:
            lines.append(f"  sources without fresh data, which fails nothing: {_names(self.stale)}")
        lines += [f"  {name}: {value}" for name, value in self._places() if value]
        return [*lines, f"  next: {self.next_step}"]

    def _places(self) -> tuple[tuple[str, str | None], ...]:
        return ("run", self.link), ("step", self.step)


def triage_run(
    run: Mapping[str, Any],
    artifacts: Iterable[dict[str, Any]],
    manifest: Mapping[str, Any],
    stale: tuple[str, ...] = (),
    *,
    resumes: bool,
) -> Failure:
    """
    Say why a run did not succeed. `run` needs its `run_steps`.

    `resumes` is whether the task, cleared, goes on where the run failed.
    """
    results = RunResults.parse(artifacts)
    failed = tuple(
        _failed_node(node, results, manifest) for node in results.nodes if node.status in FAILED
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
    return _project_failed(dict(run), step, common)


def triage_error(error: Exception, side: str, run_id: int | None, link: str | None) -> Failure:
    """Say why a task failed without a run that failed: a refusal, the network, Airflow itself."""
    next_step = {
        AIRFLOW: (
            "give the task more time or find out why the run is slow, then Clear this task."
            if isinstance(error, TimeoutError)
            else "mend the job or the parameters that the message names, then Clear this task."
        ),
        CREDENTIALS: (
            "put a token that may run the job into the Airflow connection, then Clear this task: "
            "it goes on with the same run if there is one."
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
    """Find the last step that ended in an error; `dbt docs generate` after it fails no run."""
    steps = [
        step for step in run.get("run_steps") or [] if step.get("status") == int(RunStatus.ERROR)
    ]
    blamed = [step for step in steps if "dbt source freshness" not in step["name"]] or steps
    return blamed[0] if blamed else None


def stale_sources(sources: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the sources that `dbt source freshness` found too old (`sources.json`, schema v3)."""
    return tuple(
        f"{result['unique_id'].split('.', 2)[-1]} ({result['status']})"
        for result in sources.get("results", ())
        if result.get("status") in STALE
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


def _project_failed(run: dict[str, Any], step: dict[str, Any], common: dict[str, Any]) -> Failure:
    return Failure(
        side=DBT_PROJECT,
        headline=f"dbt Cloud run {run['id']} failed before any node ran: {step['name']}.",
        next_step="mend what the lines above name, then Clear this task: it starts a new run.",
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


def _failed_node(node: NodeResult, results: RunResults, manifest: Mapping[str, Any]) -> FailedNode:
    known = manifest.get("nodes", {}).get(node.unique_id, {})
    return FailedNode(
        unique_id=node.unique_id,
        kind=node.kind,
        name=node.name,
        message=node.message,
        file=str(known.get("original_file_path") or ""),
        owner=owner(node.unique_id, manifest),
        skipped=tuple(_skipped_below(node.unique_id, results, manifest)),
    )


def _skipped_below(
    unique_id: str, results: RunResults, manifest: Mapping[str, Any]
) -> Iterable[str]:
    """Name the nodes that were skipped and depend, over any number of steps, on this one."""
    children: Mapping[str, list[str]] = manifest.get("child_map", {})
    seen, front = set[str](), [unique_id]
    while front:
        below = [each for each in children.get(front.pop(), ()) if each not in seen]
        seen.update(below)
        front += below
    # A failed dbt test skips what depends on the model that it tests.
    tested = manifest.get("nodes", {}).get(unique_id, {}).get("attached_node")
    if tested:
        seen.update(children.get(tested, ()))
    skipped = set(results.names(SKIPPED))
    return [node.name for node in results.nodes if node.unique_id in seen & skipped]


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return shown if more <= 0 else f"{shown} and {more} more"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
