"""
Which job is meant by the names of a project, an environment and a job.

The provider's lookup pages without an order, asks for ever when fewer come than were announced, and
says no more than how many it has found. Here a refusal says what there is and what to type.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudResourceLookupError

from airflow_dbt_cloud.failure import AIRFLOW, Failure
from dbt_cloud_api.job_url import Address


Resource = dict[str, Any]

PAGE = 100
DELETED = 2
# dbt-jobs-as-code writes its own key behind a job's name.
MARK = re.compile(r"\s*\[\[[\w:*-]+\]\]$")
MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class JobNames:
    """What the author of a DAG calls a job."""

    project: str
    environment: str
    job: str

    @classmethod
    def of(cls, project: str | None, environment: str | None, job: str | None) -> "JobNames":
        """Raise `TaskConfigurationError` when one of them is missing."""
        given = {"project_name": project, "environment_name": environment, "job_name": job}
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise TaskConfigurationError(
                "The task does not say which dbt Cloud job it runs.",
                f"It has no job_id, and of the three names that say the same it lacks "
                f"{' and '.join(missing)}.",
                "give job_id, or project_name, environment_name and job_name together",
            )
        return cls(str(project), str(environment), str(job))

    def __str__(self) -> str:
        return f"{self.job!r} in environment {self.environment!r} of project {self.project!r}"


class TaskConfigurationError(DbtCloudResourceLookupError):
    """The names do not lead to one job: what is wrong, why, and what to type."""

    def __init__(self, what: str, why: str, remedy: str, side: str = AIRFLOW) -> None:
        super().__init__("\n".join((what, why, f"→ {remedy}")))
        self.what, self.why, self.remedy, self.side = what, why, remedy, side

    def failure(self) -> Failure:
        """Give it as the end of a task's log."""
        log = tuple(self.why.splitlines())
        return Failure(side=self.side, headline=self.what, next_step=self.remedy, log=log)


def job_number(job_id: object) -> int:
    """Read what the author of a DAG gave as a job's number; it may come from a template."""
    try:
        return int(str(job_id))
    except ValueError:
        raise TaskConfigurationError(
            f"job_id is {job_id!r}, which is no number.",
            "A job is known by its number, which its address in dbt Cloud ends with.",
            "give that number, or project_name, environment_name and job_name together",
        ) from None


class JobsApi:
    """The calls about jobs, through the provider's hook. They raise `DbtCloudApiError`."""

    def __init__(self, hook: Any, account_id: int | None) -> None:
        self._hook = hook
        self.account_id = int(account_id or hook._resolve_account_id())  # noqa: SLF001 # no public way

    def projects(self, name: str = "") -> list[Resource]:
        return self._all("v3", "projects/", name)

    def environments(self, project_id: int, name: str = "") -> list[Resource]:
        return self._all("v3", f"projects/{project_id}/environments/", name)

    def jobs(self, project_id: int, environment_id: int, name: str = "") -> list[Resource]:
        place = {"project_id": project_id, "environment_id": environment_id, "order_by": "id"}
        return self._all("v2", "jobs/", name, **place)

    def create(self, body: str) -> Resource:
        return self._one("POST", "jobs/", body)

    def delete(self, job_id: int) -> None:
        self._one("DELETE", f"jobs/{job_id}/", None)

    def url(self, job: Resource) -> str:
        host = self._hook._get_tenant_domain(self._hook.connection)  # noqa: SLF001 # as above
        return Address(host, self.account_id, job["project_id"], job["id"]).job_url()

    def _all(self, version: str, path: str, name: str, **filters: Any) -> list[Resource]:
        """Read every page. The filter by name only saves pages: it also finds parts of names."""
        if name:
            filters["name__icontains"] = name
        found: dict[int, Resource] = {}
        offset = 0
        while True:
            query = {**filters, "limit": PAGE, "offset": offset}
            page = self._send("GET", path, query, version)
            found |= {each["id"]: each for each in page}
            if len(page) < PAGE:
                return [each for each in found.values() if each.get("state") != DELETED]
            offset += len(page)

    def _one(self, method: str, path: str, payload: str | None) -> Resource:
        resource: Resource = self._send(method, path, payload, "v2")
        return resource

    def _send(self, method: str, path: str, payload: Any, version: str) -> Any:
        answer = self._hook._run_and_get_response(  # noqa: SLF001 # the provider has no public call for all of these
            method=method,
            endpoint=f"{self.account_id}/{path}",
            payload=payload,
            api_version=version,
        )
        return answer.json()["data"]


@dataclass(frozen=True, slots=True)
class JobPlace:
    """The project and the environment that were named, as the account numbers them."""

    project_id: int
    environment_id: int


def find_place(api: JobsApi, names: JobNames) -> JobPlace:
    """Raise `TaskConfigurationError` unless one project and one environment have these names."""
    account = f"account {api.account_id}"
    project = _one("project", names.project, account, api.projects)
    where = f"project {names.project!r}"
    environment = _one(
        "environment", names.environment, where, partial(api.environments, project["id"])
    )
    return JobPlace(project["id"], environment["id"])


def jobs_called(api: JobsApi, place: JobPlace, name: str) -> list[Resource]:
    """Give the jobs of this very name, the oldest first."""
    listed = api.jobs(place.project_id, place.environment_id, name)
    return sorted(
        (job for job in listed if name in {job["name"], bare_name(job["name"])}),
        key=lambda job: int(job["id"]),
    )


def bare_name(name: str) -> str:
    """Take away the mark of dbt-jobs-as-code, which is no part of the name."""
    return MARK.sub("", name)


def find_job(api: JobsApi, names: JobNames) -> Resource:
    """Give the one job that is meant; raise `TaskConfigurationError` for none and for several."""
    place = find_place(api, names)
    jobs = jobs_called(api, place, names.job)
    if len(jobs) == 1:
        return jobs[0]
    if jobs:
        raise several(api, names, jobs)
    known = bare_names(api.jobs(place.project_id, place.environment_id))
    raise TaskConfigurationError(
        f"There is no dbt Cloud job {names}.",
        f"The jobs there are: {known}. Capital letters and blanks count.",
        "correct job_name, or let the task create it: create_if_missing=True, then Clear this task",
    )


def several(api: JobsApi, names: JobNames, jobs: Iterable[Resource]) -> TaskConfigurationError:
    found = list(jobs)
    listed = "\n".join(f"job {job['id']}: {api.url(job)}" for job in found)
    return TaskConfigurationError(
        f"There are {len(found)} dbt Cloud jobs {names}.",
        f"{listed}\nWhich of them is meant, the name does not say.",
        f"rename or delete all but one there, or name one by its number, job_id={found[0]['id']}; "
        "then Clear this task",
    )


def _one(kind: str, name: str, where: str, listed: Callable[[str], list[Resource]]) -> Resource:
    found = [each for each in listed(name) if each["name"] == name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise TaskConfigurationError(
            f"There is no {kind} {name!r} in {where}.",
            f"This token sees there: {bare_names(listed(''))}. Capital letters and blanks count.",
            f"correct {kind}_name, then Clear this task",
        )
    numbers = ", ".join(str(each["id"]) for each in found)
    raise TaskConfigurationError(
        f"There are {len(found)} {kind}s {name!r} in {where}.",
        f"Their numbers are {numbers}; which of them is meant, the name does not say.",
        f"rename all but one of them in dbt Cloud, or give job_id instead of {kind}_name; "
        "then Clear this task",
    )


def bare_names(resources: Iterable[Resource]) -> str:
    names = sorted({bare_name(each["name"]) for each in resources})
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(map(repr, names[:MOST_NAMES])) or "none") + more
