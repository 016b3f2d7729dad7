"""What is asked for: a name, a job, a schedule; checked before anything is written."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT


NAME = re.compile(r"[a-z][a-z0-9_]{2,49}")
CRON = re.compile(
    r"@(?:hourly|daily|weekly|monthly|yearly)|(?:[\d*/,A-Za-z#?-]+ ){4}[\d*/,A-Za-z#?-]+"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as a DAG names it: by names, which are the same locally and in the account."""

    name: str
    project: str
    environment: str


@dataclass(frozen=True, slots=True)
class NewDag:
    """
    `schedule` is empty for a DAG that only people and other DAGs start.

    `owner` is empty for the one that the tasks of this repository share.
    """

    name: str
    job: Job
    schedule: str
    owner: str


def check_name(name: str, folder: Path) -> str:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UserError(
            f"NAME={name} cannot name a DAG" if name else "NAME is not set",
            "It names the file and the DAG: 3 to 50 small letters, digits and _, a letter first.",
            ('make new-dag NAME=nightly_flights JOB="Build flights"',),
        )
    if (folder / f"{name}.py").exists():
        raise UserError(
            f"there is a DAG {name} already",
            f"It is in dags/{name}.py.",
            (f"make new-dag NAME={name}_2 …", "Or edit the one that is there."),
        )
    return name


def check_schedule(schedule: str) -> str:
    if schedule and not CRON.fullmatch(schedule):
        raise UserError(
            f"SCHEDULE={schedule} is no schedule",
            "It is five fields of cron, or @hourly, @daily, @weekly, @monthly, @yearly.",
            ('make new-dag … SCHEDULE="0 6 * * *"', "Or leave it out: then people start the DAG."),
        )
    return schedule


def find_job(wanted: str, file: Path = ROOT / "dbt_cloud_jobs.yml") -> Job:
    """Find a job of dbt_cloud_jobs.yml by its name, and where it lives."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    jobs = {str(job["name"]): job for job in content["jobs"].values()}
    if wanted not in jobs:
        close = get_close_matches(wanted, jobs, n=1, cutoff=0.5)
        raise UserError(
            f"dbt_cloud_jobs.yml has no job {wanted}" if wanted else "JOB is not set",
            f"It has: {', '.join(jobs)}.",
            (
                f'make new-dag NAME=… JOB="{(close or list(jobs))[0]}"',
                f'To bring it from your account first:   make jobs-import JOB="{wanted or "…"}"',
            ),
        )
    return _named(jobs[wanted], content["local_dbt_cloud"]["projects"])


def _named(job: Mapping[str, Any], projects: list[dict[str, Any]]) -> Job:
    (project,) = (each for each in projects if each["id"] == job["project_id"])
    (environment,) = (
        each for each in project["environments"] if each["id"] == job["environment_id"]
    )
    return Job(str(job["name"]), str(project["name"]), str(environment["name"]))
