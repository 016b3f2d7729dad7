"""What the tasks of the examples share: owner, time limit, retries, and which failures get them."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_dbt_cloud import RETRY_ALL_BUT_DBT_FAILURES


TASK_DEFAULTS: dict[str, Any] = {
    "owner": "data-platform",
    "execution_timeout": timedelta(hours=2),
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": RETRY_ALL_BUT_DBT_FAILURES,
}


def fails_at_once(exception: str, reason: str) -> ExceptionRetryPolicy:
    """Retry what befalls the worker, and nothing that ended with this exception."""
    rule = RetryRule(exception=exception, action=RetryAction.FAIL, reason=reason)
    return ExceptionRetryPolicy(rules=[rule])


# The provider raises one error for everything that can become of a run, and a shell knows only
# exit codes: neither can tell a broken model, where a second try is a second bill, from the rest.
PROVIDER_RUN_FAILED = fails_at_once(
    "airflow.providers.dbt.cloud.hooks.dbt.DbtCloudJobRunException",
    "The dbt Cloud run failed: mend the model or dbt test, then clear the task.",
)
SHELL_COMMAND_FAILED = fails_at_once(
    "airflow.sdk.exceptions.AirflowException",
    "The command failed: the last lines of its log say why.",
)
