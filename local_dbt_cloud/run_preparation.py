"""The steps before dbt: the clone of the project, and its profile."""

from collections.abc import Callable
from pathlib import Path

from local_dbt_cloud import git_repository
from local_dbt_cloud.account import Account
from local_dbt_cloud.profile_source import (
    IncompleteEnvironmentError,
    connection_name,
    read_profile_source,
)
from local_dbt_cloud.run_folder import RunFolder
from local_dbt_cloud.run_steps import profile_step_name
from local_dbt_cloud.settings import Settings
from local_dbt_cloud.store import Job, Run, Store


CLONE = "Clone git repository"
Log = Callable[[str], None]


class PreparationError(Exception):
    """Says why there is nothing for dbt to work on."""


class RunPreparation:
    def __init__(
        self, run: Run, job: Job, folder: RunFolder, settings: Settings, account: Account
    ) -> None:
        self.run, self.folder, self.settings, self.account = run, folder, settings, account
        self.job = job.definition
        self.project = account.project(run.project_id)
        self.environment = account.environment(run.environment_id)
        self.connection_name = connection_name(account, self.environment)
        self.password = ""

    @property
    def profile_step(self) -> str:
        return profile_step_name(self.connection_name, self.run.trigger["schema_override"])

    def clone(self, store: Store, log: Log) -> None:
        """Raise `PreparationError` when there is no such project or commit."""
        source, trigger = self.project.folder, self.run.trigger
        revision = trigger["git_sha"] or trigger["git_branch"] or self.environment.branch
        log(f"Cloning into '{self.folder.project}'...")
        if source is None:
            raise PreparationError("the project has no repository that is a folder here")
        if not (source / "dbt_project.yml").is_file():
            raise PreparationError(f"there is no dbt_project.yml in {source}")
        try:
            head = (
                self._clone_revision(source, revision)
                if revision
                else self._copy_folder(source, log)
            )
        except (OSError, git_repository.GitError) as error:
            raise PreparationError(str(error)) from error
        store.update_run(self.run.id, git_sha=head.sha, git_branch=head.branch)
        log("Successfully cloned repository.")
        log(f"Checking out to {revision}" if revision else "Checking out default branch")

    def _clone_revision(self, source: Path, revision: str) -> git_repository.Commit:
        sha = git_repository.extract(source, revision, self.folder.project)
        return git_repository.Commit(self.run.trigger["git_branch"] or self.environment.branch, sha)

    def _copy_folder(self, source: Path, log: Log) -> git_repository.Commit:
        self.folder.copy_project(source)
        log(f"The folder {source} as it is now, with what is not committed.")
        return git_repository.read_head(source)

    def write_profile(self, log: Log) -> None:
        """Raise `PreparationError` when the environment has not all that a profile needs."""
        trigger, settings = self.run.trigger, self.job["settings"]
        try:
            source = read_profile_source(self.account, self.environment)
        except IncompleteEnvironmentError as error:
            raise PreparationError(str(error)) from error
        self.password = source.warehouse.password
        self.folder.write_profile(
            source.warehouse,
            trigger["target_name_override"] or settings["target_name"],
            trigger["schema_override"] or source.schema,
            trigger["threads_override"] or settings["threads"],
        )
        log(self.profile_step)
