"""Tell in the task log what a dbt Cloud run did, node by node."""

import logging
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_dbt_cloud.calls.artifacts import fetch_run_results
from dbt_cloud_api.run_results import RunResults


log = logging.getLogger(__name__)


def report_run(run_id: int | None) -> dict[str, Any]:
    """
    Log a table of every model and dbt test of a run, and return its summary for XCom.

    Raises `DbtFailureError` when a node failed, `UnreadableResultsError` when the results are none
    that dbt writes, and `AirflowFailException` when there is nothing to report: no run was
    started, or none of its commands wrote results.
    """
    if run_id is None:
        msg = "No dbt Cloud run was started. The log of the task before this one says why."
        raise AirflowFailException(msg)
    artifacts = fetch_run_results(run_id)
    if not artifacts:
        msg = (
            f"Run {run_id} wrote no run_results.json: dbt stopped before the first model. "
            "The steps of the run in dbt Cloud say why."
        )
        raise AirflowFailException(msg)
    results = RunResults.parse(artifacts)
    for line in results.table():
        log.info(line)
    summary = {"dbt_cloud_run_id": run_id, **results.summary()}
    log.info("dbt Cloud run %s: %s", run_id, summary["counts"])
    results.raise_if_any_failed()
    return summary
