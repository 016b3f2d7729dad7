"""
How fresh the sources are, and whom to tell about one that is not.

Reads `sources.json` (dbt's schema v3) and `manifest.json` (v12). Imports nothing of Airflow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.run_results import owner_in_meta, part_of, reading, text


OVERDUE = frozenset({"error", "runtime error"})


class StaleSourceError(Exception):
    """A source is older than it may be."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """One source: its status (pass, warn, error, runtime error), its age, its owner."""

    name: str
    status: str
    age: timedelta | None
    owner: str
    message: str

    def line(self) -> str:
        age = "unknown" if self.age is None else f"{self.age.total_seconds() / 3600:,.1f} h"
        return f"{self.status:<14} {self.name:<24} {age:>12}  {self.owner or '-'} {self.message}"


def freshness_of(sources: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[Freshness]:
    """List every source that was looked at, the worst last. Raises `UnreadableResultsError`."""
    with reading("sources.json"):
        found = [_freshness(result, manifest) for result in sources.get("results", ())]
    return sorted(found, key=lambda each: (each.status in OVERDUE, each.status == "warn"))


def _freshness(result: Mapping[str, Any], manifest: Mapping[str, Any]) -> Freshness:
    seconds = result.get("max_loaded_at_time_ago_in_s")
    return Freshness(
        name=one_line(result["unique_id"].split(".", 2)[-1]),
        status=one_line(text(result["status"])),
        age=None if seconds is None else timedelta(seconds=seconds),
        owner=owner_in_meta(part_of(manifest, "sources", result["unique_id"])),
        message=one_line(text(result.get("error") or "")),
    )


def raise_if_overdue(found: list[Freshness]) -> None:
    overdue = [each for each in found if each.status in OVERDUE]
    if overdue:
        told = "; ".join(f"{each.name}, tell {each.owner or 'its owner'}" for each in overdue)
        raise StaleSourceError(f"{len(overdue)} of {len(found)} sources are too old: {told}")
