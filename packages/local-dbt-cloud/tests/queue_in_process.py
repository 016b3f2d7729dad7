"""A queue in the tests' own process, without a server, whose dbt is the stand-in."""

import sys
import time
from pathlib import Path

import pytest
from server_process import (
    ENVIRONMENT,
    JOB,
    NO_WAREHOUSE,
    PROJECT,
    STAND_IN,
    declare,
    job,
    write_project,
)

from dbt_cloud_api.trigger_fields import TRIGGER_FIELDS
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.account.jobs_file_resources import list_declared
from local_dbt_cloud.declared.jobs_file import JobsFile
from local_dbt_cloud.runs.run_queue import RunQueue
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.store import Store


def prepare_queue(folder: Path, controls, *jobs, **account) -> RunQueue:
    """A queue that is not open yet; its runs are below the folder."""
    write_project(folder)
    dbt = folder / "dbt"
    dbt.write_text(STAND_IN.format(python=sys.executable, folder=folder))
    dbt.chmod(0o755)
    settings = ServerSettings.read(
        {
            **NO_WAREHOUSE,
            "LOCAL_DBT_CLOUD_STATE": str(folder / "state"),
            "LOCAL_DBT_CLOUD_TLS": str(folder / "tls"),
            "LOCAL_DBT_CLOUD_TOKEN": "a token",
            "LOCAL_DBT_CLOUD_DBT": str(dbt),
            "LOCAL_DBT_CLOUD_JOBS": str(folder / "dbt_cloud_jobs.yml"),
        }
    )
    content = declare(*(jobs or [job(JOB, "Build", "dbt build")]))
    content["local_dbt_cloud"] |= account
    declared = JobsFile.model_validate(content)
    store = Store(settings.state / "dbt_cloud.sqlite")
    store.declare(list_declared(declared, folder))
    account = Account(declared.local_dbt_cloud, store, settings.warehouse)
    return RunQueue(settings, account, store, controls)


def add_run(queue, job_id=JOB, commands=("dbt build",), **trigger):
    """Queue a run as a trigger does."""
    return queue.add(
        job_id=job_id,
        project_id=PROJECT,
        environment_id=ENVIRONMENT,
        dbt_version="1.11.0-latest",
        trigger=dict.fromkeys(TRIGGER_FIELDS) | {"cause": "a test"} | trigger,
        cause_category="api",
        commands=list(commands),
    )


def all_runs(queue):
    """Every run, oldest first."""
    return queue.store.list_runs({}, "id", 1000, 0)[0]


def wait(queue, run, until=lambda run: run.status.is_final):
    """The run once it is as it should be."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = queue.store.find_run(run.id)
        if until(found):
            return found
        time.sleep(0.01)
    pytest.fail(f"run is {found}")
