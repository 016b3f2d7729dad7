"""What the operator is given: by the author of the DAG, and by Airflow for each try."""

from typing import TYPE_CHECKING, Any

from airflow_dbt_cloud.calls.job_names import TaskConfigurationError
from airflow_dbt_cloud.one_run.task_memory import TaskAttempt
from dbt_cloud_api.trigger_fields import OVERRIDE_FIELDS


if TYPE_CHECKING:
    from airflow.sdk import Context

HOOK_PARAMETERS = frozenset({"timeout_seconds", "patience"})
# How the provider's hook repeats requests; ours has `patience` for it.
PROVIDERS_REPEATS = frozenset({"retry_limit", "retry_delay", "retry_args"})


def attempt_of(context: "Context") -> TaskAttempt:
    ti, dag_run = context["ti"], context["dag_run"]
    return TaskAttempt(
        identity=(ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)),
        try_number=ti.try_number,
        max_tries=ti.max_tries,
        retries=context["task"].retries or 0,
        clear_number=dag_run.clear_number or 0,
        since=dag_run.start_date.isoformat() if dag_run.start_date else None,
    )


def resumes(*, resume: bool | None, retry_from_failure: bool | None) -> bool:
    """Take the provider's word for it as well as ours; go on where a run failed unless told not."""
    if retry_from_failure and resume is False:
        raise ValueError("retry_from_failure=True and resume=False contradict each other.")
    if retry_from_failure is False and resume:
        raise ValueError("retry_from_failure=False and resume=True contradict each other.")
    return resume is not False and retry_from_failure is not False


def validate(task: Any) -> None:
    """
    Refuse parameters that cannot be kept: better no task than one that drops them silently.

    `task` has them from wherever they came: its own arguments, `default_args` or a mapping.
    """
    if task.reuse_existing_run:
        raise ValueError(
            "reuse_existing_run takes any active run of the job, whoever started it. "
            "This operator goes on with its own runs by itself: leave the parameter out."
        )
    if task.create_if_missing:
        _refuse_to_create(task)
    unknown = set(task.hook_params) - HOOK_PARAMETERS - PROVIDERS_REPEATS
    if unknown:
        raise ValueError(
            f"hook_params has {', '.join(sorted(unknown))}, which no hook takes. "
            f"It may have {' and '.join(sorted(HOOK_PARAMETERS))}."
        )
    if isinstance(task.additional_run_config, dict):
        checked_overrides(task)


def checked_overrides(task: Any) -> dict[str, Any]:
    """
    Give the body of the trigger without its cause; raise `ValueError` for what cannot be kept.

    Asked again when the task runs: what another task or a template gives is not known before.
    """
    config = task.additional_run_config
    if not isinstance(config, dict):
        raise ValueError(  # noqa: TRY004 # a task's parameter, as every other here
            f"additional_run_config is {type(config).__name__} {str(config)[:80]!r}, not a "
            "dictionary. A template gives one with render_template_as_native_obj=True in the DAG."
        )
    if "cause" in config:
        raise ValueError(
            "additional_run_config must not set the cause, which names the task. "
            "For words of your own there is trigger_reason."
        )
    unknown = set(config) - set(OVERRIDE_FIELDS)
    if unknown:
        raise ValueError(
            f"additional_run_config has {', '.join(sorted(unknown))}, which dbt Cloud ignores. "
            f"A run may be given {', '.join(OVERRIDE_FIELDS)}."
        )
    given = {"steps_override": task.steps_override, "schema_override": task.schema_override}
    for name, value in given.items():
        if name in config and value is not None:
            raise ValueError(f"{name} is given twice, also in additional_run_config: give it once.")
    # The provider sends these two also when they are null.
    return {**given, **config}


def overrides_now(task: Any) -> dict[str, Any]:
    """Give the same while the task runs, where a refusal is the end of its log."""
    try:
        return checked_overrides(task)
    except ValueError as error:
        raise TaskConfigurationError(
            "The task has parameters that cannot be kept.",
            str(error),
            "correct what gives them, then Clear this task",
        ) from None


def ignored_hook_parameters(task: Any) -> list[str]:
    return sorted(set(task.hook_params) & PROVIDERS_REPEATS)


def account_number(account_id: Any) -> int | None:
    """Read the account that the task names; None is the connection's own."""
    if account_id in {None, ""}:
        return None
    try:
        return int(str(account_id))
    except ValueError:
        raise TaskConfigurationError(
            f"account_id is {account_id!r}, which is no number.",
            "An account is known by its number, which its address in dbt Cloud has.",
            "give that number, or leave account_id out for the connection's own; then Clear this "
            "task",
        ) from None


def _refuse_to_create(task: Any) -> None:
    if task.job_id is not None:
        raise ValueError(
            "job_id and create_if_missing=True are both given. A job that has a number is there, "
            "and dbt Cloud gives a new one another number. Leave one of the two out."
        )
    names = ("project_name", "environment_name", "job_name")
    missing = [name for name in names if not getattr(task, name)]
    if missing:
        raise ValueError(
            f"create_if_missing=True needs to know what to create and where, and lacks "
            f"{' and '.join(missing)}. Give project_name, environment_name and job_name."
        )
