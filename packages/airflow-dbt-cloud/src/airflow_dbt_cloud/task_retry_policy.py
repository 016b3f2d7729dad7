"""Which failures are worth another try."""

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule


# A second try cures neither a wrong model nor a wrong token, it only doubles the bill. What is
# cured by waiting (network, an answer of 5xx, a run that was cancelled) keeps the task's retries.
RETRY_ALL_BUT_DBT_FAILURES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="airflow_dbt_cloud.failing.run_failures.DbtFailedError",
            action=RetryAction.FAIL,
            reason="dbt failed: mend the model or dbt test, then clear this task.",
        ),
        RetryRule(
            exception="airflow_dbt_cloud.failing.run_failures.RefusedError",
            action=RetryAction.FAIL,
            reason="dbt Cloud refuses it: mend the connection or the job, then clear this task.",
        ),
        RetryRule(
            exception="dbt_cloud_api.run_results.DbtFailureError",
            action=RetryAction.FAIL,
            reason="A model or dbt test failed: reading its result again does not change it.",
        ),
    ]
)
