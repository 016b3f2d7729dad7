"""
Measure what the README promises, on the stack that is running: `make up`, then `make bench`.

Every figure is the median of several goes on this machine; whatever else it does is in it.
"""

import os
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.local_dbt_cloud import show_local_dbt_cloud
from benchmarks.polling import show_polling_costs
from benchmarks.processes import proportional_memory
from local_airflow.running.dag_run import follow, trigger
from local_airflow.running.mode_choice import current
from local_airflow.running.proof import gather
from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError, load_settings
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api, read_connection


DAG_ID = "dbt_cloud_job"
GOES = 5
SECONDS_TO_WAIT = 60

EDITED_DAG = '''"""Written by the benchmark and removed again."""
from airflow.sdk import DAG

with DAG("benchmark_edit", tags=["{tag}"]):
    pass
'''


def overhead_of_airflow(api: AirflowApi) -> Iterator[float]:
    """Time the dag_run less the dbt Cloud run: what Airflow adds, in seconds."""
    settings = current(load_settings()).settings
    dbt_cloud = dbt_cloud_api(read_connection(settings), settings)
    for _ in range(GOES):
        dag_run = trigger(api, DAG_ID)
        follow(dag_run)
        (proof,) = gather(dag_run, dbt_cloud)
        run = proof.dbt_cloud.run
        yield _seconds(dag_run.data, "start_date", "end_date") - _seconds(
            run, "created_at", "finished_at"
        )


def edit_until_visible(api: AirflowApi) -> Iterator[float]:
    """Time from writing a DAG file until the REST API, and so the UI, shows the change."""
    file = Path("dags/benchmark_edit.py")
    try:
        for go in range(GOES):
            file.write_text(EDITED_DAG.format(tag=f"edit-{go}"), encoding="utf-8")
            started = time.monotonic()
            while f"edit-{go}" not in _tags(api):
                if time.monotonic() - started > SECONDS_TO_WAIT:
                    raise SystemExit(f"{file} was written, and Airflow did not show it")
                time.sleep(0.05)
            yield time.monotonic() - started
            # Python's compiled file knows its source by size and whole second: a second version
            # of the same size within one second would not be read at all.
            time.sleep(1)
    finally:
        file.unlink(missing_ok=True)


def _tags(api: AirflowApi) -> set[str]:
    try:
        return {tag["name"] for tag in api.get("/api/v2/dags/benchmark_edit")["tags"]}
    except AirflowApiError:
        return set()


def _seconds(record: dict[str, Any], start: str, end: str) -> float:
    return (
        datetime.fromisoformat(record[end]) - datetime.fromisoformat(record[start])
    ).total_seconds()


def _show(what: str, figures: list[float], promised: str) -> None:
    print(
        f"{what:<44} {statistics.median(figures):6.2f} s   "
        f"({min(figures):.2f} to {max(figures):.2f}; promised {promised})",
        flush=True,
    )


def main() -> None:
    settings = current(load_settings()).settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password)
    print(f"{GOES} goes each, {os.cpu_count()} cores\n")
    # In containers nothing runs from here, and `docker stats` has the figures.
    memory = proportional_memory(Path.cwd())
    if memory:
        print(f"{'memory of the whole stack, idle (PSS)':<44} {sum(memory.values()):6.0f} MB")
    for name, megabytes in sorted(memory.items(), key=lambda item: -item[1]):
        print(f"    {name:<40} {megabytes:6.0f} MB")
    _show("a change to a DAG file until it is visible", list(edit_until_visible(api)), "<= 5 s")
    _show("what Airflow adds to a dbt Cloud run", list(overhead_of_airflow(api)), "<= 2 s")
    show_polling_costs()
    show_local_dbt_cloud()


if __name__ == "__main__":
    main()
