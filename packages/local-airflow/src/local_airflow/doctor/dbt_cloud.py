"""
dbt Cloud, seen from two places: a process of this machine, and a process of Airflow's.

The checks are `dbt_cloud_api.preflight`, which would also run in production; here they are
only started and read.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from local_airflow.base.folders import LAUNCHER_PATH, ROOT
from local_airflow.base.shell_variables import of_shell
from local_airflow.doctor.findings import Area, Finding, Level, error, skipped
from local_airflow.stack.mode import Mode
from local_airflow.stack.settings import StackSettings


FROM_HERE, FROM_AIRFLOW = "dbt_cloud_api.preflight", "airflow_dbt_cloud.preflight"
SECONDS_FOR_ALL_CHECKS = 120

Process = subprocess.Popen[str]


def start_here(settings: StackSettings, target: Mapping[str, str] | None = None) -> Process:
    """Start the checks as a program of this machine meets dbt Cloud; `target` instead of `.env`."""
    chosen = settings.dbt_cloud_variables() if target is None else target
    environment = {**of_shell("checks of dbt Cloud"), **chosen, "PYTHONPATH": LAUNCHER_PATH}
    # In containers the bundle has everything.
    for bundle in (settings.folders.tls / "bundle.pem", settings.tls_bundle):
        if bundle.exists():
            environment["REQUESTS_CA_BUNDLE"] = str(bundle)
    if settings.extra_ca_file:
        environment["EXTRA_CA_FILE"] = str(settings.extra_ca_file)
    return _start([sys.executable, "-m", FROM_HERE], environment)


def start_in_airflow() -> Process:
    """Start them with Airflow's environment, wherever the mode has it: see `in-airflow`."""
    command = [sys.executable, "-m", "local_airflow", "in-airflow", "python", "-m"]
    return _start([*command, FROM_AIRFLOW], dict(os.environ))


def _start(command: list[str], environment: dict[str, str]) -> Process:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read(process: Process, name: str) -> list[Finding]:
    """Wait for the checks and read them; what kept them from being made is a finding too."""
    try:
        output, errors = process.communicate(timeout=SECONDS_FOR_ALL_CHECKS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [
            error(
                name,
                f"the checks did not end within {SECONDS_FOR_ALL_CHECKS} s",
                "Something takes the connection and never answers.",
                "make doctor",
                ask="whoever runs your network",
            )
        ]
    try:
        return [Finding.parse(check) for check in json.loads(output.splitlines()[-1])]
    except (ValueError, KeyError, TypeError, IndexError):
        last = "\n".join((errors or output).strip().splitlines()[-3:])
        cause = f"They ended with {process.returncode} and said:\n{last}"
        return [error(name, "the checks could not be made", cause, "make up", "make bundle")]


def explain(settings: StackSettings, target: Mapping[str, str]) -> Finding | None:
    """Find the step at which dbt Cloud cannot be used in this way; None when there is none."""
    found = read(start_here(settings, target), "dbt Cloud")
    return next((each for each in found if each.level is Level.ERROR), None)


def areas(mode: Mode, here: Process | None, in_airflow: Process | None) -> list[Area]:
    settings = mode.settings
    where = f"LOCAL, {settings.local_dbt_cloud_url}" if settings.is_local else "your account"
    from_here, from_airflow = f"dbt Cloud from this machine ({where})", "dbt Cloud from Airflow"
    stopped = "the local dbt Cloud is not running; to start it:   make up"
    first = read(here, "dbt Cloud") if here else [skipped("dbt Cloud", stopped)]
    asleep = "Airflow does not run, or does not answer: see above"
    second = read(in_airflow, "Airflow") if in_airflow else [skipped("Airflow", asleep)]
    return [Area(from_here, tuple(first)), Area(from_airflow, tuple(second))]
