"""
The dbt Cloud jobs that the DAGs run, by name: a name is the same here and in your account.

They are declared in dbt_cloud_jobs.yml. Names of a project or environment of your own go here.
"""

from typing import Any


# Typed as what `**` may fill in for any parameter of an operator.
FLIGHTS: dict[str, Any] = {"project_name": "Flights", "environment_name": "Production"}

BUILD_FLIGHTS = "Build flights"
BUILD_ONE_MONTH = "Build one month"
CHECK_FRESHNESS = "Check source freshness"
