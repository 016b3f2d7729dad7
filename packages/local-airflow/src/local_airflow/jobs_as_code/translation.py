"""The same jobs with the ids of another account: pure functions, in both directions."""

from collections.abc import Iterator, Mapping
from typing import Any

from dbt_cloud_api.job_model import FRESH
from local_airflow.jobs_as_code.jobs_file import JobsFile
from local_airflow.jobs_as_code.places import Places


# What the package exports although it says nothing.
SAYS_NOTHING = {**FRESH, "self_deferring": False, "custom_environment_variables": []}


def for_account(
    file: JobsFile, places: Places, account_id: int, jobs_there: Mapping[str, list[int]]
) -> dict[str, Any]:
    """
    Give the file's jobs as the account would write them.

    `jobs_there` has the ids of the account's jobs by their names: one that is called the same, and
    is the only one, is taken to be the same job, so that it is not made a second time.
    """
    return {
        "jobs": {
            key: _translated(job, places, account_id, jobs_there) for key, job in file.jobs.items()
        }
    }


def _translated(
    job: Mapping[str, Any], places: Places, account_id: int, jobs_there: Mapping[str, list[int]]
) -> dict[str, Any]:
    place = places.of_file(int(job["project_id"]), int(job["environment_id"]))
    same_name = jobs_there.get(str(job["name"]), [])
    translated = {
        **_plain(job),
        "account_id": account_id,
        "project_id": place.project_id,
        "environment_id": place.environment_id,
        "linked_id": same_name[0] if len(same_name) == 1 else None,
    }
    return {name: value for name, value in translated.items() if value is not None}


def _plain(value: Any) -> Any:
    """Turn what keeps its comments into plain dictionaries and lists."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def for_file(
    exported: Mapping[str, Any], places: Places, account_id: int, linked_id: int
) -> dict[str, Any]:
    """Give a job of the account as the file writes it: its ids, and only what it says."""
    project_id, environment_id = places.in_file(exported["project_id"], exported["environment_id"])
    own = {
        "linked_id": linked_id,
        "account_id": account_id,
        "project_id": project_id,
        "environment_id": environment_id,
    }
    said = {name: value for name, value in exported.items() if name not in own}
    return {**own, **{name: value for name, value in said.items() if not _is_fresh(name, value)}}


def _is_fresh(name: str, value: Any) -> bool:
    return name in SAYS_NOTHING and SAYS_NOTHING[name] == value


def free_id(file: JobsFile) -> int:
    """Give an id for a job that the file does not have yet."""
    return max((int(job["linked_id"]) for job in file.jobs.values()), default=file.account_id) + 1


def keys_of(file: JobsFile, name: str) -> Iterator[str]:
    """Give the keys under which the file has a job of this name."""
    return (key for key, job in file.jobs.items() if str(job["name"]) == name)
