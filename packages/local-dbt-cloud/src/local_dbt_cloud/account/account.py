"""The account on this machine, and what a run needs to know of it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local_dbt_cloud.declared.jobs_file import DeclaredAccount
from local_dbt_cloud.settings import Warehouse
from local_dbt_cloud.store.resource_store import Resource, Resources
from local_dbt_cloud.store.store import Store
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.timestamps import now


# This server's own way to clone: copy a folder, with what is not committed.
LOCAL_FOLDER = "local_folder"
# The account has one user: whoever has the token.
USER_ID = 70403103900061


@dataclass(frozen=True, slots=True)
class Project:
    """
    Where dbt_project.yml is: in a folder of this machine, in a repository behind a URL, or nowhere.

    `subdirectory` is the project's place in the repository.
    """

    id: int
    name: str
    description: str
    repository_id: int | None
    folder: Path | None
    git_url: str | None
    subdirectory: str | None


@dataclass(frozen=True, slots=True)
class Environment:
    """`branch` is the one that its runs check out; None for the default one, or the folder."""

    id: int
    project_id: int
    name: str
    dbt_version: str
    deployment_type: str | None
    connection_id: int | None
    credentials_id: int | None
    branch: str | None


@dataclass
class Account:
    """`declared` holds what no endpoint changes: the account itself."""

    declared: DeclaredAccount
    store: Store
    warehouse: Warehouse

    @property
    def id(self) -> int:
        return self.declared.id

    @cached_property
    def created_at(self) -> datetime:
        """The moment of the first start."""
        oldest, _ = self.store.projects.page({}, "created_at", 1, 0)
        return oldest[0].created_at if oldest else now()

    def project(self, project_id: int) -> Project:
        found = find(self.store.projects, project_id)
        repository = self.store.repositories.find_active(found["repository_id"])
        return Project(
            id=found.id,
            name=found.name,
            description=found["description"],
            repository_id=found["repository_id"],
            folder=folder_of(repository, found["dbt_project_subdirectory"]),
            git_url=repository["remote_url"] if repository else None,
            subdirectory=found["dbt_project_subdirectory"],
        )

    def environment(self, environment_id: int) -> Environment:
        found = find(self.store.environments, environment_id)
        return Environment(
            id=found.id,
            project_id=found["project_id"],
            name=found.name,
            dbt_version=found["dbt_version"],
            deployment_type=found["deployment_type"],
            connection_id=found["connection_id"],
            credentials_id=found["credentials_id"],
            branch=found["custom_branch"] if found["use_custom_branch"] else None,
        )


def find(resources: Resources, identifier: int) -> Resource:
    found = resources.find_active(identifier)
    if found is None:
        raise NotFoundError
    return found


def folder_of(repository: Resource | None, subdirectory: str | None) -> Path | None:
    """
    The folder that is to be copied as it is; None when there is a repository to be cloned.

    A URL that leads to a folder which is no repository can only be copied.
    """
    if repository is None:
        return None
    url = urlsplit(repository["remote_url"])
    if url.scheme not in {"", "file"} or not url.path.startswith("/"):
        return None
    path = Path(unquote(url.path))
    is_copied = repository["git_clone_strategy"] == LOCAL_FOLDER or not is_repository(path)
    return path / (subdirectory or "") if is_copied else None


def is_repository(path: Path) -> bool:
    """Whether git could clone it: with a checkout, or bare. What is not there, git shall refuse."""
    return not path.exists() or (path / ".git").exists() or (path / "HEAD").is_file()
