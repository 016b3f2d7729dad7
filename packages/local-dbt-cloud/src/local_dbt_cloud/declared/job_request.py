"""What a client may say of a job when it creates or replaces one."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from dbt_cloud_api.job_model import EXECUTION, LONGEST_DESCRIPTION, SETTINGS, derive_job_type
from local_dbt_cloud.declared.job_schedule import ScheduleBody
from local_dbt_cloud.declared.trigger_request import Command, Seconds, TargetName, Threads
from local_dbt_cloud.wire.request_body import Identifier, Name, RequestBody, ResourceBody


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


class JobSettings(RequestBody):
    threads: Threads = SETTINGS["threads"]
    target_name: TargetName = SETTINGS["target_name"]


class Execution(RequestBody):
    timeout_seconds: Seconds = EXECUTION["timeout_seconds"]


class Condition(RequestBody):
    job_id: Identifier
    project_id: Identifier
    # dbt-jobs-as-code leaves it out where every end counts.
    statuses: Annotated[list[Literal[10, 20, 30]], Field(min_length=1)] | None = None


class CompletionTrigger(RequestBody):
    condition: Condition


class JobFields(ResourceBody):
    """What a request and the jobs file say of a job; the store adds what neither says."""

    project_id: Identifier
    environment_id: Identifier
    name: Name
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] | None = None
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
    settings: JobSettings | None = None
    triggers: Triggers | None = None
    triggers_on_draft_pr: bool | None = None
    schedule: ScheduleBody | None = None
    job_type: JobType | None = None
    job_completion_trigger_condition: CompletionTrigger | None = None

    def definition(self, account_id: int) -> dict[str, Any]:
        given = super().definition(account_id)
        given |= {
            "account_id": account_id,
            "execution": (self.execution or Execution()).model_dump(),
            "settings": (self.settings or JobSettings()).model_dump(),
            "triggers": (self.triggers or Triggers()).model_dump(),
            "schedule": (self.schedule or ScheduleBody()).complete(),
        }
        return given | {"job_type": derive_job_type(self.job_type, given["triggers"])}


class JobBody(JobFields):
    """Clients create jobs with as little as a name, a project and an environment."""

    lifecycle_webhooks: bool | None = None
    lifecycle_webhooks_url: str | None = None
    force_node_selection: bool | None = None


class JobReplacement(JobBody):
    """As recorded, dbt Cloud wants the id again in the body of an update."""

    id: int | None = None
