"""Runs of CI jobs: each belongs to a pull request, has a schema of its own, and takes no slot."""

from collections.abc import Mapping
from typing import Any

from local_dbt_cloud.run_plan import End
from local_dbt_cloud.run_status import RunStatus
from local_dbt_cloud.store import Run


CATEGORY = "ci"
PULL_REQUESTS = (
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "azure_pull_request_id",
    "non_native_pull_request_id",
)
SUPERSEDED = End(
    RunStatus.CANCELLED, "This run was cancelled because a newer run of the pull request started."
)


def pull_request_id(trigger: Mapping[str, Any]) -> int | None:
    return next((trigger[name] for name in PULL_REQUESTS if trigger.get(name) is not None), None)


def is_ci(run: Run) -> bool:
    return bool(run.is_ci) or run.cause_category == CATEGORY


def lane(run: Run) -> tuple[int, int | None]:
    """Runs in one lane go one after the other: those of a job, or of a pull request in a CI job."""
    return run.job_id, pull_request_id(run.trigger) if is_ci(run) else None


def schema_of_pull_request(run: Run) -> str | None:
    """None for every run that is not CI."""
    if not is_ci(run):
        return None
    return f"dbt_cloud_pr_{run.job_id}_{pull_request_id(run.trigger)}"
