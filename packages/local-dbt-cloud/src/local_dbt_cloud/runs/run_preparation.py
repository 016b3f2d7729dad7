"""The steps before dbt: the clone of the project, and its profile."""

import os
from collections.abc import Callable
from pathlib import Path

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.account.run_variables import effective_variables
from local_dbt_cloud.dbt.dbt_installations import Wanted
from local_dbt_cloud.dbt.git_repository import Commit, Git, GitError
from local_dbt_cloud.dbt.profile_source import (
    ROOT_VARIABLE,
    IncompleteEnvironmentError,
    ProfileSource,
    connection_name,
    read_profile_source,
)
from local_dbt_cloud.dbt.project_files import OutsideError
from local_dbt_cloud.runs.ci_runs import schema_of_pull_request
from local_dbt_cloud.runs.run_folder import RunFolder
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.store.store import Job, Run, Store


CLONE = "Clone git repository"
Log = Callable[[str], None]


class PreparationError(Exception):
    """Says why there is nothing for dbt to work on."""


class RunPreparation:
    def __init__(
        self,
        run: Run,
        job: Job,
        folder: RunFolder,
        settings: ServerSettings,
        account: Account,
        git: Git,
    ) -> None:
        self.run, self.folder, self.settings, self.account = run, folder, settings, account
        self.job, self.git = job.definition, git
        self.project = account.project(run.project_id)
        self.environment = account.environment(run.environment_id)
        self.connection_name = connection_name(account, self.environment)
        self.source: ProfileSource | None = None

    # The clone

    def clone(self, store: Store, log: Log) -> None:
        """Raise `PreparationError` when there is no such project or commit."""
        log(f"Cloning into '{self.folder.project}'...")
        trigger = self.run.trigger
        revision = trigger["git_sha"] or trigger["git_branch"] or self.environment.branch
        try:
            head = self._clone(revision, log)
        except (OSError, GitError, OutsideError) as error:
            raise PreparationError(str(error)) from error
        if not (self.folder.project / "dbt_project.yml").is_file():
            raise PreparationError(f"there is no dbt_project.yml in {self.project.git_url}")
        store.update_run(self.run.id, git_sha=head.sha, git_branch=head.branch)
        log("Successfully cloned repository.")
        log(f"Checking out to {revision}" if revision else "Checking out default branch")

    def _clone(self, revision: str | None, log: Log) -> Commit:
        folder, url = self.project.folder, self.project.git_url
        if folder is None and url is None:
            raise PreparationError("the project has no repository")
        if folder is None:
            return self._clone_url(str(url), revision, log)
        if not (folder / "dbt_project.yml").is_file():
            raise PreparationError(f"there is no dbt_project.yml in {folder}")
        if revision is None:
            return self._copy_folder(folder, log)
        sha = self.git.extract(folder, revision, self.folder.project)
        return Commit(self.branch, sha)

    def _clone_url(self, url: str, revision: str | None, log: Log) -> Commit:
        mirror, failure = self.git.update_mirror(url, self.settings.state / "repositories")
        if failure is not None:
            log(f"{failure}\nThe repository is used as it was the last time.")
        head = self.git.read_head(mirror)
        sha = self.git.extract(
            mirror,
            revision or "HEAD",
            self.folder.project,
            str(self.project.subdirectory or ""),
        )
        return Commit(self.branch or (None if revision else head.branch), sha)

    @property
    def branch(self) -> str | None:
        """The one that was asked for, by the trigger or else by the environment."""
        branch: str | None = self.run.trigger["git_branch"]
        return branch or self.environment.branch

    def _copy_folder(self, source: Path, log: Log) -> Commit:
        self.folder.copy_project(source)
        log(f"The folder {source} as it is now, with what is not committed.")
        return self.git.read_head(source)

    # The profile

    @property
    def profile_step(self) -> str:
        suffix = f" (override schema to '{self.schema_override}')" if self.schema_override else ""
        return f"Create profile from connection {self.connection_name}{suffix}"

    @property
    def schema_override(self) -> str | None:
        override: str | None = self.run.trigger["schema_override"]
        return override or schema_of_pull_request(self.run)

    @property
    def target(self) -> str:
        target: str = (
            self.run.trigger["target_name_override"] or self.job["settings"]["target_name"]
        )
        return target

    def write_profile(self, log: Log) -> Wanted:
        """Answer which dbt the profile is for."""
        log(self.profile_step)
        try:
            source = read_profile_source(self.account, self.environment, self._known_variables())
        except IncompleteEnvironmentError as error:
            raise PreparationError(str(error)) from error
        self.source = source
        output = {
            "type": source.type,
            **source.output,
            "schema": self.schema_override or source.schema,
            "threads": self.run.trigger["threads_override"] or self.job["settings"]["threads"],
        }
        self.folder.write_profile(self.target, output)
        return Wanted(source.type, source.adapter, self.run.dbt_version)

    def _known_variables(self) -> dict[str, str]:
        root = {ROOT_VARIABLE: str(self.settings.jobs.parent)}
        return {**os.environ, **root, **effective_variables(self.account.store, self.run)}

    def profile_variables(self) -> dict[str, str]:
        return self.source.variables if self.source else {}
