"""The account on this machine: what `dbt_cloud_jobs.yml` declares besides jobs."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from local_dbt_cloud.declared_jobs import (
    DeclaredAccount,
    DeclaredConnection,
    DeclaredEnvironment,
    DeclaredProject,
)
from local_dbt_cloud.errors import NotFoundError


@dataclass
class Account:
    """
    `root` is the folder that project folders are relative to.

    `created_at` is what every object of the account shows as its birth: a file that declares
    them has none to tell.
    """

    declared: DeclaredAccount
    root: Path
    created_at: datetime

    @property
    def id(self) -> int:
        return self.declared.id

    @cached_property
    def projects(self) -> dict[int, DeclaredProject]:
        return {
            project.id: project.model_copy(update={"folder": self.root / project.folder})
            for project in self.declared.projects
        }

    @cached_property
    def environments(self) -> dict[int, DeclaredEnvironment]:
        return {e.id: e for project in self.projects.values() for e in project.environments}

    @cached_property
    def connections(self) -> dict[int, DeclaredConnection]:
        return {connection.id: connection for connection in self.declared.connections}

    def project(self, project_id: int) -> DeclaredProject:
        return find(self.projects, project_id)

    def environment(self, environment_id: int) -> DeclaredEnvironment:
        return find(self.environments, environment_id)

    def connection(self, connection_id: int) -> DeclaredConnection:
        return find(self.connections, connection_id)


Declared = TypeVar("Declared")


def find(declared: dict[int, Declared], identifier: int) -> Declared:
    try:
        return declared[identifier]
    except KeyError:
        raise NotFoundError from None
