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
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from local_dbt_cloud.cron import check_cron
from local_dbt_cloud.declared_account import (
    Declared,
    DeclaredAccount,
    DeclaredConnection,
    DeclaredEnvironment,
    DeclaredProject,
    Id,
    Variables,
)
from local_dbt_cloud.run_steps import parse_command
from local_dbt_cloud.user_error import UserError


__all__ = [
    "DeclaredAccount",
    "DeclaredConnection",
    "DeclaredEnvironment",
    "DeclaredFile",
    "DeclaredProject",
    "read_declared_jobs",
]


def check_command(text: str) -> str:
    parse_command(text)
    return text


class Settings(Declared):
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    target_name: Annotated[str, Field(pattern=r"^\w+$")] = "default"


class Execution(Declared):
    timeout_seconds: Annotated[int, Field(ge=0)] = 0


class Triggers(Declared):
    github_webhook: bool = False
    git_provider_webhook: bool | None = False
    schedule: bool | None = False
    on_merge: bool | None = False


class Schedule(Declared):
    cron: Annotated[str, AfterValidator(check_cron)] = "0 0 1 1 *"


class DeclaredJob(Declared):
    """The keys of dbt-jobs-as-code that say something about the job itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    linked_id: Id
    account_id: Id
    project_id: Id
    environment_id: Id
    name: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(max_length=255)] = ""
    dbt_version: str | None = None
    deferring_environment_id: int | None = None
    deferring_job_definition_id: int | None = None
    execute_steps: Annotated[
        tuple[Annotated[str, AfterValidator(check_command)], ...], Field(min_length=1)
    ]
    execution: Execution = Execution()
    generate_docs: bool
    run_generate_sources: bool
    run_lint: bool | None = False
    errors_on_lint_failure: bool | None = True
    run_compare_changes: bool = False
    compare_changes_flags: str = "--select state:modified"
    cost_optimization_features: tuple[str, ...] = ()
    settings: Settings
    schedule: Schedule = Schedule()
    triggers: Triggers
    triggers_on_draft_pr: bool = False
    job_type: Literal["scheduled", "merge", "ci", "other"] = "scheduled"
    job_completion_trigger_condition: dict[str, Any] | None = None
    custom_environment_variables: tuple[Variables, ...] = ()


class DeclaredFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    local_dbt_cloud: DeclaredAccount
    jobs: dict[str, DeclaredJob]


def read_declared_jobs(path: Path) -> DeclaredFile:
    """Raise `UserError` when the file is missing, is no YAML, or declares what cannot be."""
    try:
        content = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders, one of them written in C
        declared = DeclaredFile.model_validate(content)
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
    schema = DeclaredFile.model_json_schema(by_alias=True)
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


def find_contradictions(declared: DeclaredFile) -> list[str]:
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


def list_ids(declared: DeclaredFile) -> dict[str, list[int]]:
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
