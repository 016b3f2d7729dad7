"""What a run will do, in order, and what its end may be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dbt_cloud_api.dbt_commands import read_command
from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.store.store import Run
from local_dbt_cloud.wire.timestamps import humanized


DEPS, FRESHNESS, DOCS = "dbt deps", "dbt source freshness", "dbt docs generate"
RETRY = "dbt retry"


@dataclass(frozen=True, slots=True)
class Planned:
    """
    A command of the run.

    `number` is its place among the job's own commands. The freshness and docs steps have none,
    and their failure does not fail the run.
    """

    command: str
    number: int | None
    required: bool = True


@dataclass(frozen=True, slots=True)
class End:
    status: RunStatus
    message: str | None


CANCELLED = End(RunStatus.CANCELLED, "Cancelled by user.")
SERVER_STOPPED = End(
    RunStatus.ERROR, "The local dbt Cloud was stopped while the run was in progress."
)
UNDECLARED = End(
    RunStatus.ERROR, "The project or environment of this run is not declared any more."
)
SERVER_FAILED = End(RunStatus.ERROR, "The local dbt Cloud failed; its log says why.")


def timed_out(seconds: int) -> End:
    return End(
        RunStatus.CANCELLED,
        f"This run timed out after running for {humanized(seconds)}, "
        f"which exceeded the configured timeout of {seconds} seconds.",
    )


def plan(run: Run, job: Mapping[str, Any]) -> Iterator[Planned]:
    """Every dbt command: deps and freshness first, docs last, those two only when asked for."""
    yield Planned(DEPS, None)
    if job["run_generate_sources"]:
        yield Planned(FRESHNESS, None, required=False)
    for number, command in enumerate(run.commands):
        yield Planned(command, number)
    override = run.trigger["generate_docs_override"]
    if job["generate_docs"] if override is None else override:
        yield Planned(DOCS, None, required=False)


def why_no_retry(planned: Planned, *, has_results: bool) -> str | None:
    """None when `dbt retry` can take up the command again; else dbt Cloud's code."""
    if planned.number is None or not read_command(planned.command).can_be_retried:
        return "RETRY_UNSUPPORTED_CMD"
    return None if has_results else "RETRY_NO_RUN_RESULTS"
