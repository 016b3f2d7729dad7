"""What a run's dbt finds in its process environment, besides what the user put there."""

from local_dbt_cloud.account import Environment
from local_dbt_cloud.run_folder import PROFILE, RunFolder
from local_dbt_cloud.store import Run


# dbt copies what stands behind this prefix into `metadata.env` of every artifact.
METADATA_PREFIX = "DBT_ENV_CUSTOM_ENV_"
# A cause may be as long as a request; Linux takes no variable of 128 kB.
LONGEST_REASON = 10_000


def describe_run(run: Run, environment: Environment, account_id: int) -> dict[str, str]:
    """The DBT_CLOUD_* variables, and the same again for the artifacts."""
    facts = {
        "DBT_CLOUD_ACCOUNT_ID": str(account_id),
        "DBT_CLOUD_PROJECT_ID": str(run.project_id),
        "DBT_CLOUD_ENVIRONMENT_ID": str(run.environment_id),
        "DBT_CLOUD_ENVIRONMENT_NAME": environment.name,
        "DBT_CLOUD_ENVIRONMENT_TYPE": environment.deployment_type or "",
        "DBT_CLOUD_JOB_ID": str(run.job_id),
        "DBT_CLOUD_RUN_ID": str(run.id),
        "DBT_CLOUD_RUN_REASON": run.trigger["cause"][:LONGEST_REASON],
        "DBT_CLOUD_RUN_REASON_CATEGORY": run.cause_category,
        "DBT_CLOUD_RUN_TRIGGER_CATEGORY": run.cause_category,
        "DBT_CLOUD_INVOCATION_CONTEXT": "prod",
        "DBT_CLOUD_PR_ID": str(run.trigger["github_pull_request_id"] or ""),
        "DBT_CLOUD_GIT_SHA": run.git_sha or "",
    }
    copies = {METADATA_PREFIX + name: value for name, value in facts.items()}
    return {**facts, **copies, "DBT_ENV": "prod"}


def dbt_settings(folder: RunFolder, step: int, target: str) -> dict[str, str]:
    """Where dbt reads and writes, and how it speaks."""
    return {
        "DBT_PROFILE": PROFILE,
        # In the profile too; but only what is said here makes dbt parse anew after a change.
        "DBT_TARGET": target,
        "DBT_PROFILES_DIR": str(folder.profiles),
        "DBT_TARGET_PATH": str(folder.target),
        "DBT_LOG_PATH": str(folder.step(step)),
        "DBT_USE_COLORS": "false",
        "DBT_USE_COLORS_FILE": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "PYTHONUNBUFFERED": "1",
    }
