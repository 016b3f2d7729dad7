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
        raise SettingsRefusedError(done.stderr.removeprefix("error: ").rstrip())
    found = json.loads(done.stdout)
    return DbtCloudConnection(
        host=str(found["host"]),
        account_id=int(found["account_id"]),
        job_id=int(found["job_id"]),
        token=str(found["token"]),
        is_local=bool(found["is_local"]),
    )


class SettingsRefusedError(UserError):
    """A `UserError` whose three parts were already laid out by the one who refused."""

    def __init__(self, words: str) -> None:
        problem, _, rest = words.partition("\n\n")
        cause, _, remedies = rest.partition("\n\n")
        lines = (line.strip().removeprefix("→ ") for line in remedies.splitlines())
        super().__init__(problem, cause.strip(), tuple(line for line in lines if line))
