"""Turns what `dbt_cloud_jobs.yml` declares into the resources that the API shows."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from dbt_cloud_api.job_model import FRESH
from local_dbt_cloud.account.account import LOCAL_FOLDER
from local_dbt_cloud.declared.jobs_file import DeclaredJob, DeclaredProject, JobsFile
from local_dbt_cloud.store.resource_store import Definition


Definitions = dict[int, Definition]
FIRST_DECLARED_VARIABLE_ID = 70403120000001


def list_declared(declared: JobsFile, root: Path) -> dict[str, Definitions]:
    """By kind and id; `root` is the folder that the folders of projects are relative to."""
    account = declared.local_dbt_cloud
    projects = account.projects
    return {
        "connections": {
            connection.id: {
                "name": connection.name,
                "project_id": None,
                "type": connection.type,
                "adapter_version": f"{connection.type}_v0",
                "config": {},
                "adapter": connection.adapter,
                "profile": connection.profile,
            }
            for connection in account.connections
        },
        "projects": {project.id: declare_project(project) for project in projects},
        "repositories": {
            project.repository_id: declare_repository(project, root) for project in projects
        },
        "environments": {
            identifier: definition
            for project in projects
            for identifier, definition in declare_environments(project).items()
        },
        "credentials": {
            environment.credentials_id: {
                "project_id": project.id,
                "type": "postgres",
                "threads": None,
                "username": None,
                "default_schema": environment.schema_name,
                "target_name": "default",
            }
            for project in projects
            for environment in project.environments
        },
        "jobs": {job.linked_id: declare_job(job) for job in declared.jobs.values()},
        "environment_variables": declare_variables(declared),
    }


def declare_project(project: DeclaredProject) -> Definition:
    first = project.environments[0] if project.environments else None
    return {
        "name": project.name,
        "description": project.description,
        "connection_id": first and first.connection_id,
        "repository_id": project.repository_id,
        "dbt_project_subdirectory": project.subdirectory and str(project.subdirectory),
    }


def declare_repository(project: DeclaredProject, root: Path) -> Definition:
    return {
        "project_id": project.id,
        "full_name": project.name,
        "remote_url": (root / project.folder).as_uri() if project.folder else project.git_url,
        "git_clone_strategy": LOCAL_FOLDER if project.folder else "deploy_key",
    }


def declare_environments(project: DeclaredProject) -> Definitions:
    return {
        environment.id: {
            "project_id": project.id,
            "name": environment.name,
            "connection_id": environment.connection_id,
            "credentials_id": environment.credentials_id,
            "dbt_version": environment.dbt_version,
            "type": "deployment",
            "deployment_type": environment.deployment_type,
            "supports_docs": True,
            "use_custom_branch": project.git_branch is not None,
            "custom_branch": project.git_branch,
        }
        for environment in project.environments
    }


def declare_job(job: DeclaredJob) -> Definition:
    definition = FRESH | job.definition(job.account_id)
    of_the_file = {"linked_id", "custom_environment_variables"}
    return {name: value for name, value in definition.items() if name not in of_the_file}


def declare_variables(declared: JobsFile) -> Definitions:
    """Those of projects, of environments, and of jobs; a file gives them no ids, so we do."""
    definitions: list[Definition] = []
    for project in declared.local_dbt_cloud.projects:
        scope: Definition = {"project_id": project.id, "type": "project"}
        definitions += in_scope(scope, project.environment_variables)
        for environment in project.environments:
            scope = {"project_id": project.id, "type": "environment"}
            scope["environment_id"] = environment.id
            definitions += in_scope(scope, environment.environment_variables)
    for job in declared.jobs.values():
        scope = {"project_id": job.project_id, "type": "job", "job_definition_id": job.linked_id}
        for variables in job.custom_environment_variables:
            definitions += in_scope(scope, variables)
    return {id_of_variable(definition): definition for definition in definitions}


def in_scope(scope: Definition, variables: Mapping[str, str]) -> list[Definition]:
    return [{**scope, "name": name, "value": value} for name, value in variables.items()]


def id_of_variable(definition: Definition) -> int:
    """The same at every start, and above all ids that the API gives."""
    scope = [str(value) for key, value in sorted(definition.items()) if key != "value"]
    digest = sha256("/".join(scope).encode()).digest()
    return FIRST_DECLARED_VARIABLE_ID + int.from_bytes(digest[:4], "big")
