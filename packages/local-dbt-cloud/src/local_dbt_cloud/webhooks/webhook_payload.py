"""The body of a webhook: which events a run's new state means, and what each says."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbt_cloud_api.run_status import RunStatus


STARTED, COMPLETED, ERRORED = "job.run.started", "job.run.completed", "job.run.errored"
EVENT_TYPES = (STARTED, COMPLETED, ERRORED)
# An error is told at once, and again with what every end of a run tells.
EVENTS = {
    RunStatus.RUNNING: (STARTED,),
    RunStatus.SUCCESS: (COMPLETED,),
    RunStatus.ERROR: (ERRORED, COMPLETED),
    RunStatus.CANCELLED: (COMPLETED,),
}
WORDS = {
    RunStatus.RUNNING: "Running",
    RunStatus.SUCCESS: "Success",
    RunStatus.ERROR: "Errored",
    RunStatus.CANCELLED: "Canceled",
}
END_KEYS = {COMPLETED: "runFinishedAt", ERRORED: "runErroredAt"}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a payload says of a run; ids are texts in it, and a missing message is "None"."""

    job_id: int
    job_name: str
    run_id: int
    environment_id: int
    environment_name: str
    dbt_version: str
    project_name: str
    project_id: int
    status: RunStatus
    status_message: str | None
    reason: str
    started_at: datetime | None
    finished_at: datetime | None

    def data(self, event_type: str) -> dict[str, Any]:
        """A run that never started has no `runStartedAt`."""
        moments = {"runStartedAt": self.started_at}
        if event_type in END_KEYS:
            moments[END_KEYS[event_type]] = self.finished_at
        return {
            "jobId": str(self.job_id),
            "jobName": self.job_name,
            "runId": str(self.run_id),
            "environmentId": str(self.environment_id),
            "environmentName": self.environment_name,
            "dbtVersion": self.dbt_version,
            "projectName": self.project_name,
            "projectId": str(self.project_id),
            "runStatus": WORDS[self.status],
            "runStatusCode": int(self.status),
            "runStatusMessage": str(self.status_message),
            "runReason": self.reason,
            **{name: whole_seconds(moment) for name, moment in moments.items() if moment},
        }


@dataclass(frozen=True, slots=True)
class Addressee:
    account_id: int
    webhook_id: str
    webhook_name: str


def write_payload(to: Addressee, event_id: str, event_type: str, facts: RunFacts) -> str:
    """The body as it is signed and sent."""
    return json.dumps(
        {
            "accountId": to.account_id,
            "webhookId": to.webhook_id,
            "eventId": event_id,
            "timestamp": with_nanoseconds(time.time_ns()),
            "eventType": event_type,
            "webhookName": to.webhook_name,
            "data": facts.data(event_type),
        }
    )


def with_nanoseconds(moment: int) -> str:
    """`2023-01-31T19:28:15.742843678Z`"""
    seconds, nanoseconds = divmod(moment, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


def whole_seconds(moment: datetime) -> str:
    """`2023-01-31T19:28:07Z`"""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
