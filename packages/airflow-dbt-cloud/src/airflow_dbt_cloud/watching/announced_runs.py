"""
Note, beside an asset event, that its run was told.

The watcher runs in a process that may not touch Airflow's database, and Airflow confirms it
nothing. So the note cannot be written by the watcher: it would come before the event or after it,
and a triggerer that dies between the two would lose the event or fire it twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_dbt_cloud.watching.ended_runs import AnnouncedRuns


# Where the payload of an event says under which key of the asset's state store it is noted.
NOTED_UNDER = "noted_under"


@dataclass(frozen=True, slots=True)
class AnnouncedRun:
    """What the event of a watcher says of its run."""

    key: str
    run_id: int
    finished_at: str

    @classmethod
    def of_payload(cls, payload: Any) -> Self | None:
        """Read what a trigger has fired; None when it is no watcher of ours."""
        if not isinstance(payload, Mapping) or NOTED_UNDER not in payload:
            return None
        return cls(payload[NOTED_UNDER], payload["dbt_cloud_run_id"], payload["finished_at"])

    def is_in(self, stored: str | None) -> bool:
        """Whether a note says that this run was told."""
        told = AnnouncedRuns.from_stored(json.loads(stored) if stored else None)
        return told is not None and told.has(self.run_id, self.finished_at)

    def noted(self, stored: str | None) -> str:
        """Give the note with this run in it, as text for the state store."""
        told = (
            AnnouncedRuns.from_stored(json.loads(stored) if stored else None) or AnnouncedRuns.now()
        )
        return json.dumps(told.and_also(self.run_id, self.finished_at).as_stored())
