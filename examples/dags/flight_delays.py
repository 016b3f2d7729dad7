"""
### Flight delays: extract, load, transform, train

One month a dag_run: finds its files at their source, loads them into schema `raw`, lets dbt Cloud
build it, trains a model, and publishes metrics and a chart (*Browse, Flight delays*). By hand it
does the month of the form, a *Backfill* of 2013 the year. A month done again replaces itself.

**When it is red**

- `extract`, `load`: no such month at the source; no schema `raw` in the connection `warehouse`.
- `transform`: its log has the model or dbt test that failed. Mend it, then clear `transform`.
- `observe`: dbt Cloud builds in another warehouse than the connection `warehouse` names.
- `train`: its log is scikit-learn's, in the Python of the Variable `training_python`.
"""

from typing import Any

import pendulum
from airflow.sdk import Param, dag, task
from airflow.timetables.events import EventsTimetable

from airflow_dbt_cloud import DbtCloudJobOperator
from examples.include.flight_delays import tasks
from examples.include.flights_jobs import BUILD_ONE_MONTH, FLIGHTS
from examples.include.task_defaults import TASK_DEFAULTS


MONTHS = [pendulum.datetime(2013, month, 1) for month in range(1, 13)]  # all that the source has
MONTH = "{{ month_of(dag_run, params) }}"
BUILD = f"dbt build --select +monthly_flights +delays_against_weather --vars '{{month: {MONTH}}}'"


@dag(
    schedule=EventsTimetable(MONTHS, description="Each month of 2013"),
    start_date=MONTHS[0],
    catchup=False,
    max_active_runs=1,
    params={"month": Param("2013-01", type="string", pattern=r"^2013-(0[1-9]|1[0-2])$")},
    user_defined_macros={"month_of": tasks.month_of},
    default_args=TASK_DEFAULTS,
    tags=["dbt cloud", "gallery", "machine learning"],
    doc_md=__doc__,
)
def flight_delays() -> None:
    @task.external_python(python="{{ var.value.training_python }}", expect_airflow=False)
    def train(month: str, observations: list[list[Any]]) -> dict[str, Any]:
        from examples.include.flight_delays import delay_model  # noqa: PLC0415 # in the other Python

        return delay_model.train(month, observations)

    loaded = tasks.load(tasks.extract("{{ var.value.flights_source }}", MONTH))
    transform = DbtCloudJobOperator(
        task_id="transform", job_name=BUILD_ONE_MONTH, **FLIGHTS, steps_override=[BUILD]
    )
    loaded >> transform >> (observations := tasks.observe(MONTH))
    tasks.publish(train(MONTH, observations))


flight_delays()
