"""
What a job is where nobody says more, its limits, and its type.

The keys are those of the API, which `dbt_cloud_jobs.yml` shares with dbt-jobs-as-code.
"""

from collections.abc import Mapping
from typing import Any


LONGEST_DESCRIPTION = 255
MOST_THREADS = 64

SETTINGS: dict[str, Any] = {"threads": 4, "target_name": "default"}
EXECUTION: dict[str, Any] = {"timeout_seconds": 0}
TRIGGERS: dict[str, Any] = {
    "github_webhook": False,
    "git_provider_webhook": False,
    "schedule": False,
    "on_merge": False,
}
# The schedule of a job in the file that does not name one; it only counts with the trigger on.
ONCE_A_YEAR = "0 0 1 1 *"

# A job in the file must say these, besides its name and its place.
REQUIRED = ("execute_steps", "generate_docs", "run_generate_sources", "settings", "triggers")
FRESH: dict[str, Any] = {
    "description": "",
    "dbt_version": None,
    "deferring_environment_id": None,
    "deferring_job_definition_id": None,
    "execution": EXECUTION,
    "run_lint": False,
    "errors_on_lint_failure": True,
    "run_compare_changes": False,
    "compare_changes_flags": "--select state:modified",
    "cost_optimization_features": [],
    "triggers_on_draft_pr": False,
    "job_completion_trigger_condition": None,
}

# These types are what the client says they are; `scheduled` and `other` follow the triggers.
CHOSEN_TYPES = frozenset({"ci", "merge", "exposure_sync", "adaptive", "hybrid"})
# dbt Cloud refuses to turn a job of these types into one of another, and the reverse.
FIXED_TYPES = ("ci", "adaptive")


def derive_job_type(wanted: str | None, triggers: Mapping[str, Any]) -> str:
    if wanted in CHOSEN_TYPES:
        return str(wanted)
    if triggers.get("github_webhook") or triggers.get("git_provider_webhook"):
        return "ci"
    if triggers.get("on_merge"):
        return "merge"
    return "scheduled" if triggers.get("schedule") else "other"


def may_become(before: str, after: str) -> bool:
    return all((before == fixed) == (after == fixed) for fixed in FIXED_TYPES)


def ticked_steps(job: Mapping[str, Any]) -> list[str]:
    """Name the steps that the job has besides its commands, ticked in its settings."""
    names = {"run_generate_sources": "source freshness", "generate_docs": "docs"}
    return [name for key, name in names.items() if job.get(key)]
