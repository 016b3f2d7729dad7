"""The command line of the preflight: prints one JSON document."""

import argparse
import json
import os
import sys
from dataclasses import replace

from dbt_cloud_api.connection_settings import connection_from
from dbt_cloud_api.job_url import parse_job_url
from dbt_cloud_api.preflight.account import Target, check_target
from dbt_cloud_api.preflight.check import Check, Level, PreflightError
from dbt_cloud_api.preflight.route import find_route
from dbt_cloud_api.user_error import UserError


def check_settings() -> list[Check]:
    """Check what `.env` says, which is in this process's environment."""
    try:
        connection = connection_from(os.environ)
    except UserError as wrong:
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
    except UserError:
        return target
    same = (pasted.account_id, pasted.job_id) == (target.account_id, target.job_id)
    return replace(target, project_id=pasted.project_id) if same else target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m dbt_cloud_api.preflight")
    parser.parse_args()
    print(json.dumps([check.as_json() for check in check_settings()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
