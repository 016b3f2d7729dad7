"""What a client may say of a job when it creates or replaces one."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from local_dbt_cloud.declared_jobs import check_command
from local_dbt_cloud.job_schedule import ScheduleBody
from local_dbt_cloud.job_types import derive_job_type
from local_dbt_cloud.request_body import Identifier, Name, RequestBody, ResourceBody
from local_dbt_cloud.trigger_request import TargetName


Command = Annotated[str, Field(min_length=1), AfterValidator(check_command)]
JobType = Literal["ci", "scheduled", "other", "merge", "exposure_sync", "adaptive", "hybrid"]


class Triggers(RequestBody):
    # As recorded, dbt Cloud refuses what it does not know here.
    model_config = ConfigDict(extra="forbid")

    github_webhook: bool = False
    git_provider_webhook: bool | None = False
    schedule: bool | None = False
    on_merge: bool | None = False
    # Deprecated, and still sent by clients: taken and forgotten.
    custom_branch_only: bool | None = Field(default=None, exclude=True)


class Settings(RequestBody):
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    target_name: TargetName = "default"


class Execution(RequestBody):
    timeout_seconds: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Condition(RequestBody):
    job_id: Identifier
    project_id: Identifier
    statuses: Annotated[list[Literal[10, 20, 30]], Field(min_length=1)]


class CompletionTrigger(RequestBody):
    condition: Condition


class JobBody(ResourceBody):
    """Clients create jobs with as little as a name, a project and an environment."""

    project_id: Identifier
    environment_id: Identifier
    name: Name
    description: Annotated[str, Field(max_length=255)] | None = None
    dbt_version: Name | None = None
    deferring_environment_id: Identifier | None = None
    deferring_job_definition_id: Identifier | None = None
    execute_steps: list[Command] | None = None
    execution: Execution | None = None
    generate_docs: bool | None = None
    run_generate_sources: bool | None = None
    run_lint: bool | None = None
    errors_on_lint_failure: bool | None = None
    run_compare_changes: bool | None = None
    compare_changes_flags: str | None = None
    cost_optimization_features: list[Name] | None = None
    settings: Settings | None = None
    triggers: Triggers | None = None
    triggers_on_draft_pr: bool | None = None
    schedule: ScheduleBody | None = None
    job_type: JobType | None = None
    job_completion_trigger_condition: CompletionTrigger | None = None
    lifecycle_webhooks: bool | None = None
    lifecycle_webhooks_url: str | None = None
    force_node_selection: bool | None = None

    def definition(self, account_id: int) -> dict[str, Any]:
        given = super().definition(account_id)
        given |= {
            "account_id": account_id,
            "execution": (self.execution or Execution()).model_dump(),
            "settings": (self.settings or Settings()).model_dump(),
            "triggers": (self.triggers or Triggers()).model_dump(),
            "schedule": (self.schedule or ScheduleBody()).complete(),
        }
        return given | {"job_type": derive_job_type(self.job_type, given["triggers"])}


class JobReplacement(JobBody):
    """As recorded, dbt Cloud wants the id again in the body of an update."""

    id: int | None = None
