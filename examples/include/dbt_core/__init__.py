"""dbt Core run by Airflow itself: where it is, and what the project's graph looks like."""

import os
from pathlib import Path


PROJECT = Path(__file__).parents[3] / "dbt_project"
GRAPH = Path(__file__).with_name("graph.json")


def dbt_executable() -> str:
    """
    Name the dbt of an environment of its own: Airflow's cannot have one, they disagree on versions.

    Read from the process environment, because Cosmos wants it when the DAG is parsed, where no
    Airflow Variable can be asked for.
    """
    return os.environ.get("DBT_EXECUTABLE") or "dbt"
