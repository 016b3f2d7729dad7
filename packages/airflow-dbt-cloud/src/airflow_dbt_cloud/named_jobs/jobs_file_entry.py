"""
A job of dbt_cloud_jobs.yml as the body of the request that creates it.

The file has the format of dbt-jobs-as-code, and the body is what that tool would send; a test
compares the two. The file's numbers of account, project and environment are those of the local
dbt Cloud, so here the account's own take their place.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from airflow.configuration import conf

from airflow_dbt_cloud.calls.job_names import JobNames, JobPlace, TaskConfigurationError, bare_name
from dbt_cloud_api.job_model import (
    EXECUTION,
    FRESH,
    LONGEST_DESCRIPTION,
    ONCE_A_YEAR,
    REQUIRED,
    SETTINGS,
    TRIGGERS,
)


JOBS_FILE = "dbt_cloud_jobs.yml"

# They need more than one request, or the number of another job: a job would be there half done.
BY_JOBS_SYNC_ONLY = (
    "custom_environment_variables",
    "deferring_job_definition_id",
    "self_deferring",
    "job_completion_trigger_condition",
)

Entry = Mapping[str, Any]


def jobs_file() -> Path:
    """Beside the folder of the DAGs, wherever Airflow has that."""
    return Path(conf.get_mandatory_value("core", "dags_folder")).parent / JOBS_FILE


def declared_body(
    names: JobNames, account_id: int, place: JobPlace, path: Path | None = None
) -> dict[str, Any]:
    """Give the body for a job that the account lacks; raise `TaskConfigurationError`."""
    path = path or jobs_file()
    key, entry = _find_entry(names, _read(path, names), path)
    _refuse_what_is_more_than_a_job(names, key, entry, path)
    cron = (entry.get("schedule") or {}).get("cron") or ONCE_A_YEAR
    return {
        **{name: entry.get(name, fresh) for name, fresh in FRESH.items()},
        **{name: entry[name] for name in REQUIRED},
        "id": None,
        "account_id": account_id,
        "project_id": place.project_id,
        "environment_id": place.environment_id,
        "name": names.job,
        "state": 1,
        "description": _description(entry.get("description") or "", key),
        "job_type": entry.get("job_type", "scheduled"),
        "settings": {**SETTINGS, **entry["settings"]},
        "execution": {**EXECUTION, **(entry.get("execution") or {})},
        "triggers": {**TRIGGERS, **entry["triggers"]},
        "schedule": {
            "cron": cron,
            "date": {"type": "custom_cron", "cron": cron},
            "time": {"type": "every_hour", "interval": 1},
        },
        # Given at all, it is the job's own environment.
        "deferring_environment_id": (
            place.environment_id if entry.get("deferring_environment_id") else None
        ),
        "deferring_job_definition_id": None,
        "job_completion_trigger_condition": None,
    }


def _read(path: Path, names: JobNames) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _cannot(
            names, f"{path} cannot be read: {' '.join(str(error).split())}", path
        ) from None
    if not isinstance(content, Mapping) or not isinstance(content.get("jobs"), Mapping):
        raise _cannot(names, f"{path} has no jobs: in the format of dbt-jobs-as-code.", path)
    return content


def _find_entry(names: JobNames, content: Mapping[str, Any], path: Path) -> tuple[str, Entry]:
    """Find the entry by the job's name; of several, the one that is declared for this place."""
    entries = {
        key: entry
        for key, entry in content["jobs"].items()
        if names.job in {str(entry.get("name")), bare_name(str(entry.get("name")))}
    }
    if len(entries) > 1:
        there = set(_ids_of_place(names, content))
        own = {
            key: entry
            for key, entry in entries.items()
            if (entry.get("project_id"), entry.get("environment_id")) in there
        }
        entries = own if len(own) == 1 else entries
    if len(entries) == 1:
        return next(iter(entries.items()))
    if entries:
        raise _cannot(names, f"{path.name} has it more than once: {', '.join(entries)}.", path)
    known = ", ".join(repr(str(entry.get("name"))) for entry in content["jobs"].values())
    raise _cannot(names, f"{path.name} does not have it. It has {known or 'no job'}.", path)


def _ids_of_place(names: JobNames, content: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Give the file's own numbers for the project and environment, where it declares them."""
    declared = content.get("local_dbt_cloud") or {}
    for project in declared.get("projects", ()):
        for environment in project.get("environments", ()):
            if (project["name"], environment["name"]) == (names.project, names.environment):
                yield project["id"], environment["id"]


def _refuse_what_is_more_than_a_job(names: JobNames, key: str, entry: Entry, path: Path) -> None:
    lacking = [name for name in REQUIRED if name not in entry]
    if lacking:
        raise _cannot(names, f"{key} in {path.name} lacks {', '.join(lacking)}.", path)
    more = [name for name in BY_JOBS_SYNC_ONLY if entry.get(name)]
    if entry.get("deferring_environment_id") not in {None, entry.get("environment_id")}:
        more.append("deferring_environment_id")
    if more:
        raise TaskConfigurationError(
            f"There is no dbt Cloud job {names}, and this task cannot create it.",
            f"{key} in {path.name} has {', '.join(more)}, which takes more than one request; "
            "a task that dies between two would leave a job that is half done.",
            "create it once with `make jobs-sync`, then Clear this task",
        )


def _cannot(names: JobNames, why: str, path: Path) -> TaskConfigurationError:
    return TaskConfigurationError(
        f"There is no dbt Cloud job {names}, and this task cannot create it.",
        why,
        f"declare it once under jobs: in {path.name}, or correct job_name, then Clear this task",
    )


def _description(description: str, key: str) -> str:
    """Put the key behind the description, by which dbt-jobs-as-code knows its job again."""
    mark = f" [[{key}]]" if description else f"[[{key}]]"
    return f"{description[: LONGEST_DESCRIPTION - len(mark)]}{mark}"
