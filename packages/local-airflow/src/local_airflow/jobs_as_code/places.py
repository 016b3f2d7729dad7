"""
Which project and environment of the account is meant by those of the file: the same names.

The ids in dbt_cloud_jobs.yml are those of the local dbt Cloud. An account has others, but what is
called Flights and Production here is called so there, or is named once on the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.user_error import UserError
from local_airflow.base.questions import find_option
from local_airflow.jobs_as_code.jobs_file import JobsFile, Place


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says; empty where it says nothing."""

    project: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """`there` is the place in the account of each place in the file."""

    there: Mapping[tuple[int, int], Place]

    def of_file(self, project_id: int, environment_id: int) -> Place:
        """Give the place in the account of a job in the file."""
        return self.there[project_id, environment_id]

    def in_file(self, project_id: int, environment_id: int) -> tuple[int, int]:
        """Give the ids in the file of a job in the account; raise `UserError` if there are none."""
        for ids, place in self.there.items():
            if (place.project_id, place.environment_id) == (project_id, environment_id):
                return ids
        known = ", ".join(f"{each.environment} of {each.project}" for each in self.there.values())
        raise UserError(
            "the job is in an environment that dbt_cloud_jobs.yml does not know",
            f"Of the account, it knows {known}.",
            (
                "To name that environment:   make jobs-import JOB=… PROJECT=… ENVIRONMENT=…",
                "Or declare another project or environment under local_dbt_cloud: in the file.",
            ),
        )


def find_places(file: JobsFile, api: DbtCloudApi, wanted: Wanted, *, is_local: bool) -> Places:
    """Pair the places by their names. Raises `UserError` that lists what the account has."""
    if is_local:
        own = {(each.project_id, each.environment_id): each for each in file.places()}
        return Places(own)
    places = file.places()
    if (wanted.project or wanted.environment) and len(places) > 1:
        raise UserError(
            "PROJECT and ENVIRONMENT name one place, and dbt_cloud_jobs.yml has several",
            f"It has {', '.join(f'{each.environment} of {each.project}' for each in places)}.",
            ("Give the account's project and environments the same names as in the file.",),
        )
    return Places(
        {(each.project_id, each.environment_id): _find(each, api, wanted) for each in places}
    )


def _find(place: Place, api: DbtCloudApi, wanted: Wanted) -> Place:
    projects = [(str(each["name"]), int(each["id"])) for each in api.projects()]
    project, project_id = _one("project", wanted.project or place.project, projects, "PROJECT")
    found = api.environments(project_id)
    environments = [(str(each["name"]), int(each["id"])) for each in found]
    name, number = _one(
        "environment", wanted.environment or place.environment, environments, "ENVIRONMENT"
    )
    return Place(project_id, number, project, name)


def _one(what: str, name: str, options: list[tuple[str, int]], variable: str) -> tuple[str, int]:
    found = find_option(name, options)
    if len(found) == 1:
        return found[0]
    names = ", ".join(each for each, _ in options) or "none"
    raise UserError(
        f"the account has {'several' if found else 'no'} {what} called {name}",
        f"It has: {names}.",
        (f"To name the one that is meant:   make jobs-plan {variable}='…'",),
    )
