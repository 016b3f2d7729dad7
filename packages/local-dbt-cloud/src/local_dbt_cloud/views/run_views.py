"""
Runs, triggers and steps as clients see them.

These keys, in this order, and null where dbt Cloud has null.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dbt_cloud_api.run_status import RunStatus
from dbt_cloud_api.trigger_fields import OVERRIDE_FIELDS
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.runs.new_runs import why_not_retried
from local_dbt_cloud.runs.run_folder import RunFolder, read_log
from local_dbt_cloud.runs.run_queue import RunQueue
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.store import Run, Step, Store
from local_dbt_cloud.store.tables import TRIGGER_ID_OFFSET
from local_dbt_cloud.views.environment_views import find_environment_v2
from local_dbt_cloud.views.job_views import job_of_run
from local_dbt_cloud.wire.timestamps import clock_duration, humanized, now, seconds_between, spaced


# What the answer to a trigger shows of a run, whatever `include_related` says.
ALWAYS_RELATED = frozenset({"trigger", "job"})
TRUNCATED_LINES = 1000
# Only the green is recorded; the others follow the pages for people.
COLORS = {
    RunStatus.QUEUED: "#8c96a3",
    RunStatus.STARTING: "#8c96a3",
    RunStatus.RUNNING: "#2f6fde",
    RunStatus.SUCCESS: "#55973a",
    RunStatus.ERROR: "#c0392b",
    RunStatus.CANCELLED: "#8c6d1f",
}


@dataclass(frozen=True, slots=True)
class RunViews:
    """Turns runs into what clients see; `related` as in `include_related`."""

    settings: ServerSettings
    account: Account
    store: Store
    queue: RunQueue

    def one(self, run: Run, related: frozenset[str] = frozenset()) -> dict[str, Any]:
        return self.many([run], related)[0]

    def many(self, runs: list[Run], related: frozenset[str]) -> list[dict[str, Any]]:
        latest = self.store.latest_run_ids(run.job_id for run in runs)
        queued = any(run.status is RunStatus.QUEUED for run in runs)
        unfinished = self.store.unfinished_runs() if queued else []
        steps = self.store.list_steps(run.id for run in runs) if "run_steps" in related else {}
        # A reset in the meantime leaves none: a run that was read a moment ago is then the latest.
        return [
            self._view(
                run, related, unfinished, steps.get(run.id, []), latest.get(run.job_id, run.id)
            )
            for run in runs
        ]

    def _view(
        self,
        run: Run,
        related: frozenset[str],
        unfinished: list[Run],
        steps: list[Step],
        latest_run_id: int,
    ) -> dict[str, Any]:
        view = plain_run(run, self.settings.url, self.account.id)
        view["blocked_by"] = self.queue.blocked_by(run, unfinished)
        view |= retry_fields(run, latest_run_id)
        if "trigger" in related:
            view["trigger"] = trigger_view(run)
        if "job" in related:
            job = self.store.find_job(run.job_id)
            view["job"] = job and job_of_run(job)
        if "environment" in related:
            view["environment"] = find_environment_v2(self.account, run.environment_id)
        folder = RunFolder(self.settings.state / "runs" / str(run.id))
        view["run_steps"] = [
            step_view(step, self.account.id, folder, whole_log="debug_logs" in related)
            for step in steps
        ]
        return view


def plain_run(run: Run, url: str, account_id: int) -> dict[str, Any]:
    status, moment = run.status, now()
    end = run.finished_at
    saved = f"prod/runs/{run.id}/artifacts/target" if run.artifacts_saved else None
    return {
        "id": run.id,
        "trigger_id": run.id + TRIGGER_ID_OFFSET,
        "account_id": account_id,
        "environment_id": run.environment_id,
        "project_id": run.project_id,
        "job_definition_id": run.job_id,
        "status": int(status),
        "dbt_version": run.dbt_version,
        "git_branch": run.git_branch,
        "git_sha": run.git_sha,
        "status_message": run.status_message,
        "owner_thread_id": None,
        "executed_by_thread_id": f"local-dbt-cloud-run-{run.id}" if run.started_at else None,
        "deferring_run_id": run.deferring_run_id,
        "artifacts_saved": run.artifacts_saved,
        "artifact_s3_path": saved,
        "has_docs_generated": run.has_docs_generated,
        "has_sources_generated": run.has_sources_generated,
        "notifications_sent": status.is_final,
        "blocked_by": [],
        "created_at": spaced(run.created_at),
        "updated_at": spaced(run.updated_at),
        "dequeued_at": spaced(run.dequeued_at),
        "started_at": spaced(run.started_at),
        "finished_at": spaced(end),
        "last_checked_at": None,
        "last_heartbeat_at": None,
        "should_start_at": spaced(run.scheduled_for),
        "trigger": None,
        "job": None,
        "environment": None,
        "run_steps": [],
        "status_humanized": status.humanized,
        "in_progress": not status.is_final,
        "is_complete": status.is_final,
        "is_success": status is RunStatus.SUCCESS,
        "is_error": status is RunStatus.ERROR,
        "is_cancelled": status is RunStatus.CANCELLED,
        **duration_fields(run, moment),
        "created_at_humanized": f"{humanized(seconds_between(run.created_at, moment))} ago",
        "finished_at_humanized": (
            f"{humanized(seconds_between(end, moment))} ago" if end else "0 minutes from now"
        ),
        "retrying_run_id": run.retrying_run_id,
        "can_retry": False,
        "retry_not_supported_reason": None,
        "job_id": run.job_id,
        "is_running": True if status is RunStatus.RUNNING else None,
        "href": run_url(run, url, account_id),
        "used_repo_cache": None,
    }


def run_url(run: Run, url: str, account_id: int) -> str:
    return f"{url}/deploy/{account_id}/projects/{run.project_id}/runs/{run.id}/"


def duration_fields(run: Run, moment: datetime) -> dict[str, str]:
    """The spans of a run that has not ended grow until now; all of one that waits is waiting."""
    end = run.finished_at or moment
    spans = {
        "duration": seconds_between(run.created_at, end),
        "queued_duration": seconds_between(run.created_at, run.started_at or end),
        "run_duration": seconds_between(run.started_at, end),
    }
    clocks = {name: clock_duration(seconds) for name, seconds in spans.items()}
    words = {f"{name}_humanized": humanized(seconds) for name, seconds in spans.items()}
    return clocks | words


def retry_fields(run: Run, latest_run_id: int) -> dict[str, Any]:
    reason = why_not_retried(run, latest_run_id)
    return {"can_retry": reason is None, "retry_not_supported_reason": reason}


def trigger_view(run: Run) -> dict[str, Any]:
    cause = run.trigger["cause"]
    return {
        "id": run.id + TRIGGER_ID_OFFSET,
        "cause": cause,
        "job_definition_id": run.job_id,
        **{name: run.trigger[name] for name in OVERRIDE_FIELDS},
        "created_at": spaced(run.created_at),
        "cause_humanized": cause,
        "job": None,
        "cause_category": run.cause_category,
    }


def step_view(step: Step, account_id: int, folder: RunFolder, *, whole_log: bool) -> dict[str, Any]:
    seconds = seconds_between(step.started_at, step.finished_at or now())
    debug_log = folder.debug_log(step.index)
    return {
        "id": step.id,
        "run_id": step.run_id,
        "account_id": account_id,
        "index": step.index,
        "status": int(step.status),
        "name": step.name,
        "logs": read_log(folder.console_log(step.index)),
        "debug_logs": read_log(debug_log, None if whole_log else TRUNCATED_LINES),
        "log_path": None,
        "debug_log_path": None,
        "log_location": "db",
        "log_archive_type": "db_flushed" if step.finished_at else None,
        "truncated_debug_logs": read_log(debug_log, TRUNCATED_LINES),
        "started_at": spaced(step.started_at),
        "finished_at": spaced(step.finished_at),
        "status_color": COLORS[step.status],
        "status_humanized": step.status.humanized,
        "duration": clock_duration(seconds),
        "duration_humanized": humanized(seconds),
        "created_at": spaced(step.created_at),
        "updated_at": spaced(step.updated_at),
        "run_step_command": {"run_step_id": step.id, "dbt_command": step.command or ""},
        "run_step_invocation": {"run_id": step.run_id, "run_step_id": step.id},
    }
