"""
### One dbt Cloud job after another

Looks how fresh the sources are, and only then builds the models: two jobs, each known by its name.
Before both: when a run of either is active already, whoever started it, this dag_run does nothing
and is skipped, because that run builds the same tables.

**When it is red**

- `check_freshness`: a source is older than it may be; its log names the source and its owner.
  Clear the task once the data have come.
- `build_flights`: its log has the model or dbt test that failed, whose it is, and what to do.

A dag_run with skipped tasks is not red: the log of `no_run_is_active` links to the active run.
"""

from airflow.sdk import dag, task

from airflow_dbt_cloud import DbtCloudJobOperator
from examples.include.flights_jobs import BUILD_FLIGHTS, CHECK_FRESHNESS, FLIGHTS
from examples.include.gallery.active_runs import no_run_is_active
from examples.include.task_defaults import TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_job_chain() -> None:
    idle = task.short_circuit(task_id="no_run_is_active")(no_run_is_active)
    check_freshness = DbtCloudJobOperator(
        task_id="check_freshness", job_name=CHECK_FRESHNESS, **FLIGHTS
    )
    build_flights = DbtCloudJobOperator(task_id="build_flights", job_name=BUILD_FLIGHTS, **FLIGHTS)

    idle([CHECK_FRESHNESS, BUILD_FLIGHTS]) >> check_freshness >> build_flights


dbt_job_chain()
