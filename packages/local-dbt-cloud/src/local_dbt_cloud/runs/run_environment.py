"""What a run's dbt finds in its process environment, besides what the user put there."""

from local_dbt_cloud.account.account import Environment
from local_dbt_cloud.runs.ci_runs import is_ci, pull_request_field, pull_request_id
from local_dbt_cloud.runs.run_folder import PROFILE, RunFolder
from local_dbt_cloud.store.store import Run


# dbt copies what stands behind this prefix into `metadata.env` of every artifact.
METADATA_PREFIX = "DBT_ENV_CUSTOM_ENV_"
# A cause may be as long as a request; Linux takes no variable of 128 kB.
LONGEST_REASON = 10_000
# As documented; an environment of no such type has an empty word.
ENVIRONMENT_TYPES = {"production": "prod", "staging": "staging"}
SCHEDULED, OTHER_REASON = "scheduled", "other"
# It has no word of its own.
OTHER_PULL_REQUEST = "non_native_pull_request_id"


def describe_run(run: Run, environment: Environment, account_id: int) -> dict[str, str]:
    """The DBT_CLOUD_* variables, and those that were recorded in artifacts again for them."""
    of_artifacts = {
        "DBT_CLOUD_ACCOUNT_ID": str(account_id),
        "DBT_CLOUD_PROJECT_ID": str(run.project_id),
        "DBT_CLOUD_ENVIRONMENT_ID": str(run.environment_id),
        "DBT_CLOUD_JOB_ID": str(run.job_id),
        "DBT_CLOUD_RUN_ID": str(run.id),
        "DBT_CLOUD_RUN_REASON": run.trigger["cause"][:LONGEST_REASON],
        "DBT_CLOUD_RUN_REASON_CATEGORY": reason_category(run),
        "DBT_CLOUD_RUN_TRIGGER_CATEGORY": trigger_category(run),
        **describe_pull_request(run),
    }
    kind = ENVIRONMENT_TYPES.get(environment.deployment_type or "", "")
    return {
        **of_artifacts,
        **{METADATA_PREFIX + name: value for name, value in of_artifacts.items()},
        "DBT_CLOUD_ENVIRONMENT_NAME": environment.name,
        "DBT_CLOUD_ENVIRONMENT_TYPE": kind,
        "DBT_CLOUD_INVOCATION_CONTEXT": "ci" if is_ci(run) else kind or "prod",
        "DBT_ENV": "prod",
    }


def reason_category(run: Run) -> str:
    """One of five words, as documented; macros ask for `github_pull_request`."""
    if is_ci(run):
        field = pull_request_field(run.trigger) or OTHER_PULL_REQUEST
        return OTHER_REASON if field == OTHER_PULL_REQUEST else field.removesuffix("_id")
    return run.cause_category if run.cause_category == SCHEDULED else OTHER_REASON


def trigger_category(run: Run) -> str:
    """The form is recorded: `RUN_REASON_CATEGORY_UI`."""
    return f"RUN_REASON_CATEGORY_{run.cause_category.upper().replace(' ', '_')}"


def describe_pull_request(run: Run) -> dict[str, str]:
    """Other runs have no such variables, as documented: defaults of `env_var()` count there."""
    if not is_ci(run):
        return {}
    pull_request = {"DBT_CLOUD_PR_ID": str(pull_request_id(run.trigger))}
    return pull_request | ({"DBT_CLOUD_GIT_SHA": run.git_sha} if run.git_sha else {})


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
