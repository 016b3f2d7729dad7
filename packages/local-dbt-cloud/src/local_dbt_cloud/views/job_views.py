"""Jobs as clients see them, in two forms: the job itself, and the job inside a run."""

from typing import Any

from local_dbt_cloud.store.stored_jobs import Job
from local_dbt_cloud.wire.cron import humanized_cron, next_tick
from local_dbt_cloud.wire.timestamps import humanized, iso, now, seconds_between


COPIED = (
    "execution",
    "generate_docs",
    "run_generate_sources",
    "run_compare_changes",
    "compare_changes_flags",
    "run_lint",
    "errors_on_lint_failure",
    "cost_optimization_features",
    "deferring_environment_id",
    "deferring_job_definition_id",
    "description",
    "dbt_version",
    "execute_steps",
    "job_completion_trigger_condition",
    "job_type",
    "settings",
    "triggers",
    "triggers_on_draft_pr",
    "schedule",
    "lifecycle_webhooks",
    "lifecycle_webhooks_url",
    "force_node_selection",
)
# What the job endpoint has and this server gives no meaning: the values of a fresh job.
UNUSED = {
    "run_failure_count": 0,
    "is_deferrable": False,
    "deactivated": False,
    "deactivation_reason": None,
    "is_system": False,
    "is_fusion_ready_override": None,
    "fusion_readiness": None,
    "account": None,
    "project": None,
    "environment": None,
    "most_recent_run": None,
    "most_recent_completed_run": None,
}


def job_view(job: Job) -> dict[str, Any]:
    """The exact modern key set: dbt-jobs-as-code refuses a job with one key more."""
    definition = job.definition
    cron = definition["schedule"]["cron"]
    following = next_tick(cron, now()) if definition["triggers"]["schedule"] else None
    return {
        "id": job.id,
        "account_id": definition["account_id"],
        "project_id": job.project_id,
        "environment_id": job.environment_id,
        "name": job.name,
        **{name: definition[name] for name in COPIED},
        "raw_dbt_version": definition["dbt_version"],
        "generate_sources": definition["run_generate_sources"],
        "state": job.state,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "cron_humanized": humanized_cron(cron),
        "next_run": iso(following),
        "next_run_humanized": following and humanized(seconds_between(now(), following)),
        **UNUSED,
    }


def job_of_run(job: Job) -> dict[str, Any]:
    """The job inside a run: fewer keys, and a schedule of plain strings."""
    definition = job.definition
    return {
        "execution": definition["execution"],
        "generate_docs": definition["generate_docs"],
        "run_generate_sources": definition["run_generate_sources"],
        "run_compare_changes": definition["run_compare_changes"],
        "id": job.id,
        "account_id": definition["account_id"],
        "project_id": job.project_id,
        "environment_id": job.environment_id,
        "name": job.name,
        "description": definition["description"],
        "dbt_version": definition["dbt_version"],
        "raw_dbt_version": definition["dbt_version"],
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "execute_steps": definition["execute_steps"],
        "state": job.state,
        "deactivated": False,
        "run_failure_count": 0,
        "deferring_job_definition_id": definition["deferring_job_definition_id"],
        "deferring_environment_id": definition["deferring_environment_id"],
        "lifecycle_webhooks": definition["lifecycle_webhooks"],
        "lifecycle_webhooks_url": definition["lifecycle_webhooks_url"],
        "triggers": definition["triggers"],
        "settings": definition["settings"],
        "schedule": {
            "cron": definition["schedule"]["cron"],
            "date": definition["schedule"]["date"]["type"],
            "time": definition["schedule"]["time"]["type"],
        },
        "is_deferrable": False,
        "job_type": definition["job_type"],
        "triggers_on_draft_pr": definition["triggers_on_draft_pr"],
        "job_completion_trigger_condition": definition["job_completion_trigger_condition"],
    }
