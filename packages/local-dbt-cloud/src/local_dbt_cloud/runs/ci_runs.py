"""Runs of CI jobs: each belongs to a pull request, has a schema of its own, and takes no slot."""

from collections.abc import Mapping
from typing import Any

from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.trigger_fields import PULL_REQUEST_FIELDS
from local_dbt_cloud.runs.run_plan import End
from local_dbt_cloud.store.store import Run


CATEGORY = "ci"
SUPERSEDED = End(
    RunStatus.CANCELLED, "This run was cancelled because a newer run of the pull request started."
)


def pull_request_id(trigger: Mapping[str, Any]) -> int | None:
    name = pull_request_field(trigger)
    return trigger[name] if name else None


def pull_request_field(trigger: Mapping[str, Any]) -> str | None:
    """Which of the four ids is given."""
    return next((name for name in PULL_REQUEST_FIELDS if trigger.get(name) is not None), None)


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
