"""
### Backfill a range of months

Builds the chosen models once for each month from the first to the last, `--vars` telling dbt which
month it is, and then, when all months are there, what is made of them. Range and models are asked
for when it is triggered.

dbt Cloud runs a job once at a time, so two months at most are handed over: one builds, one waits.
Months come into `raw` by `make load-flights MONTH=2013-02`, or by the DAG `flight_delays`.

**When it is red**

- `build_month` has a task for each month. Clear the red ones; a month built again replaces itself.
- `combine`: its log has what failed. `commands`: the form's first month comes after its last.
"""

from airflow.sdk import Param, dag, task

from airflow_dbt_cloud import DbtCloudJobOperator
from examples.include.flights_jobs import BUILD_FLIGHTS, BUILD_ONE_MONTH, FLIGHTS
from examples.include.form_fields import MONTH, SELECTION
from examples.include.months import commands_by_month
from examples.include.task_defaults import TASK_DEFAULTS


@dag(
    schedule=None,
    max_active_runs=1,
    params={
        "first": Param("2013-01", title="First month", **MONTH),
        "last": Param("2013-03", title="Last month", **MONTH),
        "models": Param("+monthly_flights", title="Models", **SELECTION),
    },
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_cloud_backfill() -> None:
    commands = task(task_id="commands")(commands_by_month)
    months = commands("{{ params.first }}", "{{ params.last }}", "{{ params.models }}")
    build_month = DbtCloudJobOperator.partial(
        task_id="build_month",
        job_name=BUILD_ONE_MONTH,
        **FLIGHTS,
        max_active_tis_per_dagrun=2,
        map_index_template="{{ task.steps_override[0] }}",
    ).expand(steps_override=months)
    build_month >> DbtCloudJobOperator(
        task_id="combine",
        job_name=BUILD_FLIGHTS,
        **FLIGHTS,
        steps_override=["dbt build --select path:models/marts --exclude {{ params.models }}"],
    )


dbt_cloud_backfill()
