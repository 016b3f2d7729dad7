"""The job itself: does it do what a DAG expects, and would it run twice?"""

from collections.abc import Iterator, Mapping
from typing import Any

from dbt_cloud_api.dbt_commands import read_command
from dbt_cloud_api.job_model import ticked_steps
from dbt_cloud_api.preflight.check import Check, error, ok, warning
from dbt_cloud_api.preflight.client import PreflightClient
from dbt_cloud_api.preflight.refusals import ADMIN, refusal


ACTIVE = 1
METHOD_NOT_ALLOWED = 405
OWNER = "whoever owns the job"

TRIGGERS = {
    "schedule": "its own schedule",
    "github_webhook": "pull requests",
    "git_provider_webhook": "pull requests",
    "on_merge": "merges",
}


def check_job(job: Mapping[str, Any]) -> Iterator[Check]:
    """Raises `PreflightError` for a job that cannot run."""
    yield _active(job)
    yield _commands(job)
    yield _schedule(job)


def _active(job: Mapping[str, Any]) -> Check:
    shown = f"{job.get('name')} ({job.get('id')})"
    if job.get("state", ACTIVE) != ACTIVE:
        raise error(
            "job",
            f"the job {shown} is deleted",
            "dbt Cloud keeps it, and does not run it.",
            "Choose another one:   make setup",
            ask=OWNER,
        )
    if job.get("deactivated"):
        raise error(
            "job",
            f"the job {shown} is switched off",
            f"dbt Cloud gives as the reason: {job.get('deactivation_reason') or 'none'}",
            "It often switches a job off after many failures in a row.",
            ask=OWNER,
        )
    return ok("job", f"{shown}, active")


def _commands(job: Mapping[str, Any]) -> Check:
    commands = [str(command) for command in job.get("execute_steps") or ()]
    if not commands:
        raise error(
            "commands",
            "the job has no commands",
            "A run of it would do nothing.",
            "Add them in dbt Cloud: the job, Edit, Execution settings.",
            ask=OWNER,
        )
    extra = ticked_steps(job)
    shown = "; ".join(commands) + (f"; with {' and '.join(extra)}" if extra else "")
    if not any(read_command(command).writes_results for command in commands):
        return warning(
            "commands",
            shown,
            "None of them builds or tests, so the report of the DAG has nothing to show.",
            "Usual is:   dbt build",
            ask=OWNER,
        )
    return ok("commands", shown)


def _schedule(job: Mapping[str, Any]) -> Check:
    triggers = job.get("triggers") or {}
    on = list(dict.fromkeys(word for key, word in TRIGGERS.items() if triggers.get(key)))
    if job.get("job_completion_trigger_condition"):
        on.append("the end of another job")
    if not on:
        return ok("schedule", "off: only Airflow starts it")
    cron = str((job.get("schedule") or {}).get("cron") or "")
    return warning(
        "schedule",
        f"on: dbt Cloud starts it too, by {' and '.join(on)}"
        + (f" ({cron})" if triggers.get("schedule") and cron else ""),
        "It would run twice: once from dbt Cloud and once from Airflow.",
        "Switch it off in dbt Cloud: the job, Edit, Triggers.",
        ask=OWNER,
    )


def may_be_triggered(client: PreflightClient, job_id: int) -> Check:
    """
    Ask whether this token may start the job, without starting it.

    There is no endpoint for the question. Reading (GET) the address that is posted to answers 405
    to a token that may, because permissions are looked at before the method is; nothing is sent
    that could start a run.
    """
    answer = client.of_account("v2", f"jobs/{job_id}/run/")
    if answer.status == METHOD_NOT_ALLOWED:
        return ok("trigger", "nothing speaks against it; only a run proves it")
    refused = refusal("trigger", answer, client.route.shown)
    if refused:
        raise refused
    return warning(
        "trigger",
        "dbt Cloud does not tell whether this token may start the job",
        f"Asking without starting it gave: {answer.status} {answer.message}",
        "Only a run proves it:   make run",
        ask=f"{ADMIN}, for a token with the permission Job Admin, if it is refused",
    )
