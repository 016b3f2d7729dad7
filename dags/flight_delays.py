"""
### Flight delays: extract, load, transform, train

One month a dag_run: finds the month's files at the source, loads them into schema `raw`, lets dbt
Cloud build that month, trains a model on what dbt made, and publishes metrics and a chart.
*Browse, Flight delays* shows the chart of every month.

By hand it does the month of the form; for all of 2013, *Trigger, Backfill* from 2013-01-01 to
2013-12-31. A month that is done again replaces itself.

**When it is red**

- `extract`: the source has no such month, or a file that is not what its name says.
- `load`: the warehouse (connection `warehouse`) has no schema `raw`, or does not answer.
- `transform`: dbt. Its log has the model or dbt test; mend it, then clear `transform`.
- `observe`: dbt Cloud builds in another warehouse than the connection `warehouse` names.
- `train`: its log is scikit-learn's. `AIRFLOW_VAR_TRAINING_PYTHON` names the Python it runs in.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task

from include.dbt_cloud.retries import RETRY_ALL_BUT_DBT_FAILURES
from include.flight_delays import tasks
from include.flights_jobs import BUILD_ONE_MONTH, FLIGHTS


MONTH = "{{ month_of(dag_run, params) }}"
BUILD = f"dbt build --select +monthly_flights +delays_against_weather --vars '{{month: {MONTH}}}'"


@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2013, 1, 1),  # noqa: DTZ001 # the timetable's time zone
    end_date=datetime(2013, 12, 31),  # noqa: DTZ001 # as above
    catchup=False,
    max_active_runs=1,
    params={"month": Param("2013-01", type="string", pattern=r"^2013-(0[1-9]|1[0-2])$")},
    user_defined_macros={"month_of": tasks.month_of},
    default_args={
        "owner": "data-platform",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_policy": RETRY_ALL_BUT_DBT_FAILURES,
    },
    tags=["dbt cloud", "gallery", "machine learning"],
    doc_md=__doc__,
)
def flight_delays() -> None:
    extract = task(task_id="extract")(tasks.extract_month)
    load = task(task_id="load")(tasks.load_files)
    transform = DbtCloudRunJobOperator(
        task_id="transform",
        job_name=BUILD_ONE_MONTH,
        **FLIGHTS,
        steps_override=[BUILD],
        deferrable=True,
        check_interval=2,
    )
    observe = task(task_id="observe")(tasks.observe_month)

    @task.external_python(python="{{ var.value.training_python }}", expect_airflow=False)
    def train(month: str, observations: list[list[Any]]) -> dict[str, Any]:
        from include.flight_delays import delay_model  # noqa: PLC0415 # in the other Python

        return delay_model.train(month, observations)

    publish = task(task_id="publish")(tasks.publish_model)

    observations = observe(MONTH)
    load(extract("{{ var.value.flights_source }}", MONTH)) >> transform >> observations
    publish(train(MONTH, observations))


flight_delays()
