"""
The exceptions a dbt Cloud task ends with.

They are told apart by what a retry could do about it; `retries.py` has the policy.
"""

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudJobRunException

from airflow_dbt_cloud.failure import Failure


class DbtCloudTaskError(DbtCloudJobRunException):
    """The task failed; `failure` says why. Its text is the end of the task's log."""

    def __init__(self, failure: Failure) -> None:
        super().__init__("\n".join(failure.lines()))
        self.failure = failure


class DbtFailedError(DbtCloudTaskError):
    """dbt did its work, and a node or the project is at fault: another try changes nothing."""


class RunEndedError(DbtCloudTaskError):
    """The run was cancelled, or dbt Cloud itself broke: another try may well succeed."""


class RefusedError(DbtCloudTaskError):
    """dbt Cloud refuses the token or the request: another try is refused as well."""


class UnreachableError(DbtCloudTaskError):
    """dbt Cloud did not answer for longer than the task was ready to wait."""


class RunTimeoutError(DbtCloudTaskError):
    """The run took longer than the task allows, and has been cancelled."""
