"""Which failures are worth another try."""

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule


# A second try does not cure a wrong model, it only doubles the bill. What is cured by waiting
# (network, an answer of 5xx) keeps the task's own retries.
RETRY_ALL_BUT_DBT_FAILURES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="airflow.providers.dbt.cloud.hooks.dbt.DbtCloudJobRunException",
            action=RetryAction.FAIL,
            reason="The dbt Cloud run failed: fix the model or dbt test, then clear this task.",
        ),
        RetryRule(
            exception="include.run_results.DbtFailureError",
            action=RetryAction.FAIL,
            reason="A model or dbt test failed: reading its result again does not change it.",
        ),
    ]
)
