"""The steps before dbt: the clone of the project, and its profile."""

from collections.abc import Callable

from local_dbt_cloud import git_repository
from local_dbt_cloud.account import Account
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
        self.run, self.folder, self.settings = run, folder, settings
        self.job = job.definition
        self.project = account.project(run.project_id)
        self.environment = account.environment(run.environment_id)
        self.connection = account.connection(self.environment.connection_id)

    @property
    def profile_step(self) -> str:
        return profile_step_name(self.connection.name, self.run.trigger["schema_override"])

    def clone(self, store: Store, log: Log) -> None:
        """Raise `PreparationError` when there is no such project or commit."""
        source, trigger = self.project.folder, self.run.trigger
        revision = trigger["git_sha"] or trigger["git_branch"]
        log(f"Cloning into '{self.folder.project}'...")
        if not (source / "dbt_project.yml").is_file():
            raise PreparationError(f"there is no dbt_project.yml in {source}")
        try:
            head = self._clone_revision(revision) if revision else self._copy_folder(log)
        except (OSError, git_repository.GitError) as error:
            raise PreparationError(str(error)) from error
        store.update_run(self.run.id, git_sha=head.sha, git_branch=head.branch)
        log("Successfully cloned repository.")
        log(f"Checking out to {revision}" if revision else "Checking out default branch")

    def _clone_revision(self, revision: str) -> git_repository.Commit:
        sha = git_repository.extract(self.project.folder, revision, self.folder.project)
        return git_repository.Commit(self.run.trigger["git_branch"], sha)

    def _copy_folder(self, log: Log) -> git_repository.Commit:
        self.folder.copy_project(self.project.folder)
        log(f"The folder {self.project.folder} as it is now, with what is not committed.")
        return git_repository.read_head(self.project.folder)

    def write_profile(self, log: Log) -> None:
        trigger, settings = self.run.trigger, self.job["settings"]
        self.folder.write_profile(
            self.settings.warehouse,
            trigger["target_name_override"] or settings["target_name"],
            trigger["schema_override"] or self.environment.schema_name,
            trigger["threads_override"] or settings["threads"],
        )
        log(self.profile_step)
