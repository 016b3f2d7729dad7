"""
Who has started a run that resumes another: whoever started the first of them.

dbt Cloud writes the cause of such a run itself, and it says nothing of who asked for it.
"""

from typing import Any, Protocol

from airflow_dbt_cloud.calls.api_errors import MissingError
from airflow_dbt_cloud.watching.ended_runs import is_from_airflow


Run = dict[str, Any]


class OneRunReader(Protocol):
    """What is asked of dbt Cloud. It raises `DbtCloudApiError`."""

    async def run(self, run_id: int, *related: str) -> Run: ...


class FirstRuns:
    """What is known of the runs that others resume: each is read once."""

    def __init__(self, api: OneRunReader) -> None:
        self._api = api
        self._is_from_airflow: dict[int, bool] = {}

    async def is_from_airflow(self, run: Run) -> bool:
        """Whether an Airflow has started it, or the run that it resumes, however often."""
        resumed = run.get("retrying_run_id")
        if not resumed:
            return is_from_airflow(run)
        if resumed not in self._is_from_airflow:
            try:
                found = await self._api.run(resumed, "trigger")
            except MissingError:
                return is_from_airflow(run)
            self._is_from_airflow[resumed] = await self.is_from_airflow(found)
        return self._is_from_airflow[resumed]
