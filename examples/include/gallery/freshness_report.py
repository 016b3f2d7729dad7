"""Tell in the task log how fresh the sources of a run were."""

import logging
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from airflow_dbt_cloud import CONNECTION_ID
from airflow_dbt_cloud.calls.artifacts import fetch_artifact, fetch_freshness
from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from dbt_cloud_api.run_results import UnreadableResultsError
from dbt_cloud_api.source_freshness import StaleSourceError, freshness_of, raise_if_overdue


log = logging.getLogger(__name__)


def report_freshness(check: str) -> dict[str, str]:
    """
    Log every source with its age and owner, and return the status of each for XCom.

    `check` is the task whose run looked at them; it may have failed before it had one.

    Fails when one is too old, without a retry: it would read the same. A warning stays one.
    """
    ti = get_current_context()["ti"]
    dbt_cloud_run_id: int | None = ti.xcom_pull(task_ids=check, key="job_run_id")
    if dbt_cloud_run_id is None:
        msg = "No dbt Cloud run was started. The log of the task before this one says why."
        raise AirflowFailException(msg)
    hook = PatientDbtCloudHook(CONNECTION_ID)
    run: dict[str, Any] = hook.get_job_run(dbt_cloud_run_id, include_related=["run_steps"]).json()[
        "data"
    ]
    sources = fetch_freshness(hook, dbt_cloud_run_id, run["run_steps"], None)
    if not sources:
        raise AirflowFailException(f"Run {dbt_cloud_run_id} looked at no source: {run['href']}")
    manifest = fetch_artifact(hook, dbt_cloud_run_id, "manifest.json", None, None) or {}
    try:
        found = freshness_of(sources, manifest)
        for each in found:
            log.log(logging.WARNING if each.status == "warn" else logging.INFO, each.line())
        raise_if_overdue(found)
    except (StaleSourceError, UnreadableResultsError) as error:
        raise AirflowFailException(str(error)) from error
    return {each.name: each.status for each in found}
