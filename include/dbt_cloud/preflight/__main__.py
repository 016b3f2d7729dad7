"""The command line of the preflight: prints one JSON document."""

import argparse
import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import replace

from include.dbt_cloud.connection import connection_from
from include.dbt_cloud.job_url import parse_job_url
from include.dbt_cloud.preflight.account import Target, check_target
from include.dbt_cloud.preflight.check import Check, Level, PreflightError
from include.dbt_cloud.preflight.route import find_route
from include.dbt_cloud.settings_error import SettingsError


def check_settings() -> list[Check]:
    """Check what `.env` says, which is in this process's environment."""
    try:
        connection = connection_from(os.environ)
    except SettingsError as wrong:
        found = Check("settings", Level.ERROR, wrong.problem, wrong.cause, wrong.remedies)
        return [found]
    target = Target(connection.account_id, connection.job_id, connection.token)
    try:
        return check_target(with_project(target), find_route(connection.host))
    except PreflightError as failed:
        return [failed.check]


def with_project(target: Target) -> Target:
    """Add the project that the job's address names, if it is the address of this job."""
    try:
        pasted = parse_job_url(os.environ.get("DBT_CLOUD_JOB_URL", ""))
    except SettingsError:
        return target
    same = (pasted.account_id, pasted.job_id) == (target.account_id, target.job_id)
    return replace(target, project_id=pasted.project_id) if same else target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m include.dbt_cloud.preflight")
    parser.add_argument("--in-airflow", action="store_true", help="take Airflow's connection")
    if parser.parse_args().in_airflow:
        # Imported here because everything else works without Airflow.
        from include.dbt_cloud.preflight.airflow_side import check_airflow  # noqa: PLC0415

        # Airflow logs to standard output, which is for the answer alone.
        with redirect_stdout(sys.stderr):
            checks = check_airflow()
    else:
        checks = check_settings()
    print(json.dumps([check.as_json() for check in checks]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
