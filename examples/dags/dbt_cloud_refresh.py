"""
### Refresh by hand

A form for whoever must rebuild something now: which models, all their rows or only the new ones,
how many threads, which target. It runs the job *Build flights* with that instead of its own steps.

A full refresh of `monthly_flights` leaves the newest month only: run `dbt_cloud_backfill` after it.

**When it is red**

`refresh`: its log has the models and dbt tests that failed, whose they are, and what to do. With
*The selection criterion … does not match*, nothing has the name that was typed.
"""

from airflow.sdk import Param, dag

from airflow_dbt_cloud import DbtCloudJobOperator
from examples.include.flights_jobs import BUILD_FLIGHTS, FLIGHTS
from examples.include.form_fields import SELECTION
from examples.include.task_defaults import TASK_DEFAULTS


@dag(
    schedule=None,
    params={
        "models": Param(
            "daily_delays_by_carrier",
            title="Models",
            description="A dbt selector: names, +parents, tag:…, path:…",
            **SELECTION,
        ),
        "full_refresh": Param(False, title="Rebuild all rows", type="boolean"),
        "threads": Param(4, title="Threads", type="integer", minimum=1, maximum=16),
        "target": Param("default", title="Target", enum=["default", "ci"]),
    },
    render_template_as_native_obj=True,  # threads stay a number
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery"],
    doc_md=__doc__,
)
def dbt_cloud_refresh() -> None:
    full_refresh = "{{ ' --full-refresh' if params.full_refresh else '' }}"
    DbtCloudJobOperator(
        task_id="refresh",
        job_name=BUILD_FLIGHTS,
        **FLIGHTS,
        steps_override=["dbt build --select {{ params.models }}" + full_refresh],
        additional_run_config={
            "threads_override": "{{ params.threads }}",
            "target_name_override": "{{ params.target }}",
        },
    )


dbt_cloud_refresh()
