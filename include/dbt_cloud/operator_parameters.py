"""What the operator is given: by the author of the DAG, and by Airflow for each try."""

from typing import TYPE_CHECKING, Any

from include.dbt_cloud.task_memory import Attempt


if TYPE_CHECKING:
    from airflow.sdk import Context


def attempt_of(context: "Context") -> Attempt:
    ti, dag_run = context["ti"], context["dag_run"]
    return Attempt(
        identity=(ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)),
        try_number=ti.try_number,
        max_tries=ti.max_tries,
        retries=context["task"].retries or 0,
        clear_number=dag_run.clear_number or 0,
        since=dag_run.start_date.isoformat() if dag_run.start_date else None,
    )


def refuse_what_cannot_be_kept(
    given: dict[str, Any], *, resume: bool, create_if_missing: bool
) -> None:
    """Refuse parameters that cannot be kept: better no task than one that drops them silently."""
    if given.get("reuse_existing_run"):
        raise ValueError(
            "reuse_existing_run takes any active run of the job, whoever started it. "
            "This operator goes on with its own runs by itself: leave the parameter out."
        )
    if given.get("retry_from_failure") and not resume:
        raise ValueError("retry_from_failure=True and resume=False contradict each other.")
    if create_if_missing:
        _refuse_to_create(given)
    config = given.get("additional_run_config")
    if isinstance(config, dict):
        _refuse_config(config, given)


def _refuse_to_create(given: dict[str, Any]) -> None:
    if given.get("job_id") is not None:
        raise ValueError(
            "job_id and create_if_missing=True are both given. A job that has a number is there, "
            "and dbt Cloud gives a new one another number. Leave one of the two out."
        )
    names = ("project_name", "environment_name", "job_name")
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise ValueError(
            f"create_if_missing=True needs to know what to create and where, and lacks "
            f"{' and '.join(missing)}. Give project_name, environment_name and job_name."
        )


def _refuse_config(config: dict[str, Any], given: dict[str, Any]) -> None:
    if "cause" in config:
        raise ValueError(
            "additional_run_config must not set the cause, which names the task. "
            "For words of your own there is trigger_reason."
        )
    for name in ("steps_override", "schema_override"):
        if name in config and given.get(name) is not None:
            raise ValueError(f"{name} is given twice, also in additional_run_config: give it once.")
