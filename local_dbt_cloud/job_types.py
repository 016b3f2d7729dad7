"""The type of a job, which dbt Cloud derives from what triggers it."""

from collections.abc import Mapping
from typing import Any


# These are what the client says they are; `scheduled` and `other` follow the triggers.
CHOSEN = frozenset({"ci", "merge", "exposure_sync", "adaptive", "hybrid"})
# dbt Cloud refuses to turn a job of these types into one of another, and the reverse.
FIXED = ("ci", "adaptive")


def derive_job_type(wanted: str | None, triggers: Mapping[str, Any]) -> str:
    if wanted in CHOSEN:
        return str(wanted)
    if triggers.get("github_webhook") or triggers.get("git_provider_webhook"):
        return "ci"
    if triggers.get("on_merge"):
        return "merge"
    return "scheduled" if triggers.get("schedule") else "other"


def may_become(before: str, after: str) -> bool:
    return all((before == fixed) == (after == fixed) for fixed in FIXED)
