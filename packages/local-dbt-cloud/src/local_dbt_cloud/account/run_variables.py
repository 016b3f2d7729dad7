"""A run's environment variables: the project's, the environment's, the job's; the last wins."""

from collections.abc import Iterable

from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.store.store import Run, Store


SECRET_PREFIX = "DBT_ENV_SECRET"  # noqa: S105 - the beginning of a name
MASK = "**********"
# These steer where dbt reads and writes, which is the server's business in every run: the options
# of dbt 1.7 to 1.11 and of dbt 2, and what they read besides.
KEPT_FROM_DBT = frozenset(
    {
        *("DBT_ARTIFACT_STATE_PATH", "DBT_CLEAN_PROJECT_FILES_ONLY", "DBT_DB_RUNNER_PATH"),
        *("DBT_CLOUD_AUTO_EXPOSURES_FILE_PATH", "DBT_CLOUD_PUBLICATIONS_DIR"),
        *("DBT_CLOUD_PUBLICATION_FILE_PATH", "DBT_CLOUD_RESOLVED_PROJECTS_FILE_PATH"),
        *("DBT_DEFER_STATE", "DBT_DOCS_TARGET_PATH", "DBT_DOWNLOADS_DIR", "DBT_DOWNLOAD_DIR"),
        *("DBT_FS_INTERNAL_PACKAGES_INSTALL_PATH", "DBT_INDEX_DIR", "DBT_LOG_PATH"),
        *("DBT_METADATA_DIR", "DBT_OTEL_FILE_NAME", "DBT_OTEL_PARQUET_FILE_NAME"),
        *("DBT_PACKAGES_INSTALL_PATH", "DBT_PARTIAL_PARSE_FILE_PATH", "DBT_PROFILE"),
        *("DBT_PROFILES_DIR", "DBT_PROJECT_DIR", "DBT_RECORDED_FILE_PATH"),
        *("DBT_RECORDER_FILE_PATH", "DBT_STATE", "DBT_TARGET", "DBT_TARGET_PATH"),
        "DBT_TIME_MACHINE_PATH",
    }
)
PRECEDENCE = ("project", "environment", "job")


def effective_variables(store: Store, run: Run) -> dict[str, str]:
    """What `{{ env_var() }}` finds in a run, besides what dbt Cloud itself sets."""
    scopes = variables_by_scope(store, run.project_id, run.environment_id, run.job_id)
    effective = {
        variable.name: str(variable["value"])
        for scope in PRECEDENCE
        for variable in scopes[scope].values()
    }
    # dbt 1.11 takes DBT_ENGINE_TARGET_PATH for DBT_TARGET_PATH, and before it.
    return {
        name: value
        for name, value in effective.items()
        if name.replace("DBT_ENGINE_", "DBT_") not in KEPT_FROM_DBT
    }


def variables_by_scope(
    store: Store, project_id: int, environment_id: int | None, job_id: int | None
) -> dict[str, dict[str, Resource]]:
    """By scope and name, what counts for a job in an environment of a project."""
    variables = store.environment_variables.active(project_id=project_id)
    wanted = {
        "project": {},
        "environment": {"environment_id": environment_id},
        "job": {"job_definition_id": job_id},
    }
    return {
        scope: by_name(
            variable
            for variable in variables
            if variable["type"] == scope
            and all(variable[key] == value for key, value in ids.items())
        )
        for scope, ids in wanted.items()
    }


def by_name(variables: Iterable[Resource]) -> dict[str, Resource]:
    return {variable.name: variable for variable in variables}


def shown_value(variable: Resource) -> str:
    """A secret never comes back, not even to whoever set it."""
    return MASK if variable.name.startswith(SECRET_PREFIX) else str(variable["value"])
