"""
Reads `dbt_cloud_jobs.yml`: the jobs, and what else the account on this machine holds.

`jobs:` has the format of dbt-jobs-as-code, and a job's `linked_id` is its id here as it is there.
`local_dbt_cloud:`, which that tool ignores, declares account, projects, environments, connections.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dbt_cloud_api.job_model import ONCE_A_YEAR
from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.declared.job_request import Execution, JobFields, JobSettings, Triggers
from local_dbt_cloud.declared.job_schedule import Cron, ScheduleBody
from local_dbt_cloud.declared.jobs_file_account import (
    Declared,
    DeclaredAccount,
    DeclaredConnection,
    DeclaredEnvironment,
    DeclaredProject,
    Id,
    Variables,
)
from local_dbt_cloud.declared.trigger_request import Command
from local_dbt_cloud.declared.yaml_document import read_yaml


__all__ = [
    "DeclaredAccount",
    "DeclaredConnection",
    "DeclaredEnvironment",
    "DeclaredProject",
    "JobsFile",
    "read_jobs_file",
]


class DeclaredSettings(JobSettings, Declared):
    pass


class DeclaredExecution(Execution, Declared):
    pass


class DeclaredSchedule(ScheduleBody, Declared):
    cron: Cron = ONCE_A_YEAR
    date: None = None
    time: None = None


class DeclaredJob(JobFields):
    """The keys of dbt-jobs-as-code that say something about the job itself."""

    linked_id: Id
    account_id: Id
    execute_steps: Annotated[list[Command], Field(min_length=1)]
    execution: DeclaredExecution = DeclaredExecution()
    generate_docs: bool
    run_generate_sources: bool
    settings: DeclaredSettings
    schedule: DeclaredSchedule = DeclaredSchedule()
    triggers: Triggers
    job_type: Literal["scheduled", "merge", "ci", "other"] = "scheduled"
    custom_environment_variables: tuple[Variables, ...] = ()


class JobsFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    local_dbt_cloud: DeclaredAccount
    jobs: dict[str, DeclaredJob]


def read_jobs_file(path: Path) -> JobsFile:
    """Raise `UserError` when the file is missing, is no YAML, or declares what cannot be."""
    try:
        content = read_yaml(path.read_bytes())
        # A number may stand in quotes there, as dbt-jobs-as-code allows, where a request may not.
        declared = JobsFile.model_validate(content, strict=False)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise broken(path, " ".join(str(error).split())) from None
    except ValidationError as error:
        raise broken(path, *[describe(detail) for detail in error.errors()]) from None
    problems = find_contradictions(declared)
    if problems:
        raise broken(path, *problems)
    return declared


def editor_schema() -> str:
    """Give the JSON schema that the first line of dbt_cloud_jobs.yml names for editors."""
    schema = JobsFile.model_json_schema(by_alias=True)
    schema["title"] = "dbt_cloud_jobs.yml"
    return json.dumps(schema, indent=2, sort_keys=True)


def broken(path: Path, *problems: str) -> UserError:
    return UserError(
        f"{path} does not declare a dbt Cloud account",
        "\n  ".join(problems),
        (
            f"correct {path.name} (its comments say what belongs where)",
            f"git diff {path.name}   (shows what changed)",
        ),
    )


def describe(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    return f"{place or 'the file'}: {message}"


def find_contradictions(declared: JobsFile) -> list[str]:
    """References that lead nowhere, and ids that are given twice."""
    account = declared.local_dbt_cloud
    environments = {e.id: (p.id, e) for p in account.projects for e in p.environments}
    connections = {connection.id for connection in account.connections}
    problems = [
        f"environment '{e.name}': connection_id {e.connection_id} is not declared"
        for _, e in environments.values()
        if e.connection_id not in connections
    ]
    for key, job in declared.jobs.items():
        if job.account_id != account.id:
            problems.append(f"jobs.{key}.account_id: {job.account_id} is not the account's id")
        if environments.get(job.environment_id, (0, None))[0] != job.project_id:
            problems.append(
                f"jobs.{key}.environment_id: project {job.project_id} "
                f"has no environment {job.environment_id}"
            )
    return problems + [
        f"id {identifier} is given to two {kind}"
        for kind, identifiers in list_ids(declared).items()
        for identifier, count in Counter(identifiers).items()
        if count > 1
    ]


def list_ids(declared: JobsFile) -> dict[str, list[int]]:
    account = declared.local_dbt_cloud
    environments = [each for project in account.projects for each in project.environments]
    return {
        "jobs": [job.linked_id for job in declared.jobs.values()],
        "projects": [project.id for project in account.projects],
        "environments": [environment.id for environment in environments],
        "credentials": [environment.credentials_id for environment in environments],
        "connections": [connection.id for connection in account.connections],
        "repositories": [project.repository_id for project in account.projects],
    }
