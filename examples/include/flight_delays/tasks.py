"""The tasks of `flight_delays`: each hands Airflow's connection or storage to a plain function."""

from typing import Any

import psycopg
from airflow.sdk import BaseHook, ObjectStoragePath, task
from airflow.sdk.exceptions import AirflowFailException

from examples.include.flight_delays.month_files import MonthFile, SourceFileError, find_month
from examples.include.flight_delays.observations import NoObservationsError, observe_month
from examples.include.flight_delays.published_models import publish_model
from examples.include.flight_delays.raw_tables import NoRawTablesError, load_month
from examples.include.warehouse import WAREHOUSE


def connect() -> psycopg.Connection:
    """Connect to the warehouse; the end of a `with` commits and closes."""
    connection = BaseHook.get_connection(WAREHOUSE)
    return psycopg.connect(
        host=connection.host,
        port=connection.port,
        user=connection.login,
        password=connection.password,
        dbname=connection.schema,
        connect_timeout=10,
        **connection.extra_dejson,
    )


def month_of(dag_run: Any, params: dict[str, Any]) -> str:
    """
    Give the month that a dag_run is about, as 2013-02.

    Airflow's schedule and a backfill say it by their interval; a person, in the form.
    """
    if dag_run.run_type == "manual" or dag_run.data_interval_start is None:
        return str(params["month"])
    return str(dag_run.data_interval_start.strftime("%Y-%m"))


@task
def extract(source: str, month: str) -> list[dict[str, Any]]:
    """Find and check the files of a month; what goes on is their description, not their rows."""
    try:
        return [file.as_xcom() for file in find_month(ObjectStoragePath(source), month)]
    except SourceFileError as error:
        raise AirflowFailException(str(error)) from error


@task
def load(files: list[dict[str, Any]]) -> dict[str, int]:
    """Load the files that were found, and give the number of rows of each table."""
    try:
        with connect() as warehouse:
            found = [MonthFile.from_xcom(file) for file in files]
            return load_month(warehouse, found, ObjectStoragePath)
    except (NoRawTablesError, SourceFileError) as error:
        raise AirflowFailException(str(error)) from error


@task
def observe(month: str) -> list[list[Any]]:
    """Read what the model learns from: 1,600 rows of nine numbers, small enough for an XCom."""
    try:
        with connect() as warehouse:
            return observe_month(warehouse, month)
    except NoObservationsError as error:
        raise AirflowFailException(str(error)) from error


@task
def publish(trained: dict[str, Any]) -> dict[str, Any]:
    """Keep metrics and chart in the warehouse; the metrics also as XCom."""
    with connect() as warehouse:
        publish_model(warehouse, trained["metrics"], trained["chart"])
    metrics: dict[str, Any] = trained["metrics"]
    return metrics
