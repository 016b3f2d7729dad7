"""The connection that `.env` describes, as the one function that knows decides it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

from local_airflow.folders import ROOT
from local_airflow.settings import Settings
from local_airflow.user_error import UserError


@dataclass(frozen=True, slots=True)
class DbtCloudConnection:
    host: str
    account_id: int
    job_id: int
    token: str = field(repr=False)
    is_local: bool = False


def read_connection(settings: Settings) -> DbtCloudConnection:
    """Ask `include.dbt_cloud.connection`; it refuses a wrong `.env` in its own words."""
    done = subprocess.run(
        [sys.executable, "-m", "include.dbt_cloud.connection", "--reveal"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), **settings.process_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError.retold(done.stderr)
    found = json.loads(done.stdout)
    return DbtCloudConnection(
        host=str(found["host"]),
        account_id=int(found["account_id"]),
        job_id=int(found["job_id"]),
        token=str(found["token"]),
        is_local=bool(found["is_local"]),
    )
