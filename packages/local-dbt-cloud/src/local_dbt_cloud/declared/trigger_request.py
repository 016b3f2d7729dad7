"""What a client may say when it triggers a run."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from dbt_cloud_api.dbt_commands import allowed_command
from dbt_cloud_api.job_model import MOST_THREADS
from local_dbt_cloud.declared.jobs_file_account import REVISION
from local_dbt_cloud.wire.errors import InvalidRequestError
from local_dbt_cloud.wire.request_body import describe, read_json_object


def check_command(text: str) -> str:
    allowed_command(text)
    return text


Command = Annotated[str, Field(min_length=1), AfterValidator(check_command)]
Threads = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Seconds = Annotated[int, Field(ge=0, lt=2**31)]
Number = Annotated[int, Field(ge=0, lt=2**63)]
# These become a schema, a target and a git revision: names, not SQL or options. ASCII by name,
# because compiling \w for all of Unicode costs a tenth of a second at every start.
SchemaName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$", max_length=63)]
TargetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=100)]
Revision = Annotated[str, Field(pattern=REVISION, max_length=200)]


class TriggerRequest(BaseModel):
    """`null` means not set: Airflow always sends two nulls. Unknown keys are ignored."""

    model_config = ConfigDict(strict=True)

    cause: Annotated[str, Field(min_length=1)] | None = None
    git_branch: Revision | None = None
    git_sha: Revision | None = None
    azure_pull_request_id: Number | None = None
    github_pull_request_id: Number | None = None
    gitlab_merge_request_id: Number | None = None
    non_native_pull_request_id: Number | None = None
    schema_override: SchemaName | None = None
    dbt_version_override: str | None = None
    threads_override: Threads | None = None
    target_name_override: TargetName | None = None
    generate_docs_override: bool | None = None
    timeout_seconds_override: Seconds | None = None
    steps_override: list[Command] | None = None


async def read_trigger(request: Request) -> TriggerRequest:
    """Raise `InvalidRequestError` for a body that is no such request."""
    content = await read_json_object(request)
    try:
        trigger = TriggerRequest.model_validate(content)
    except ValidationError as error:
        raise InvalidRequestError(**describe(error)) from None
    if trigger.cause is None and request.app.state.settings.cause_required:
        raise InvalidRequestError(cause="required key not provided")
    return trigger


async def read_optional_trigger(request: Request) -> TriggerRequest:
    """For a rerun, whose body is empty: overrides are ignored, a cause is taken."""
    content = await read_json_object(request)
    cause = content.get("cause")
    return TriggerRequest(cause=cause if isinstance(cause, str) and cause else None)
