"""/jobs/, and starting a run."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from local_dbt_cloud.dependencies import (
    ACCOUNT_V2,
    AccountDep,
    BothSlashForms,
    JobDep,
    Services,
    ServicesDep,
)
from local_dbt_cloud.envelope import one
from local_dbt_cloud.environment_schemas import find_environment_v2
from local_dbt_cloud.environment_variable_schemas import variable_view
from local_dbt_cloud.evidence import CLI_FIXTURES, OPENAPI_V2, graded
from local_dbt_cloud.job_schemas import job_view
from local_dbt_cloud.query_parameters import (
    boolean,
    integer,
    integers,
    read_related,
    split_list,
    text,
)
from local_dbt_cloud.resource_lists import Listing
from local_dbt_cloud.run_plan import RETRY
from local_dbt_cloud.run_status import RunStatus
from local_dbt_cloud.schemas import TRIGGER_FIELDS, why_not_retried
from local_dbt_cloud.store import Job, Run
from local_dbt_cloud.stored_jobs import to_job
from local_dbt_cloud.trigger_request import TriggerRequest, read_optional_trigger, read_trigger


FILTERS = {
    "project_id": integer,
    "project_id__in": integers,
    "environment_id": integer,
    "name__icontains": text,
    "triggers_schedule": boolean,
    "dbt_version__in": split_list,
    "pk": integer,
    "is_system": boolean,
    "is_fusion_ready": boolean,
}
LISTING = Listing(
    FILTERS,
    orders=("id", "name", "created_at", "updated_at", "project_id", "environment_id"),
    always={"is_system": False, "is_fusion_ready": False},
)
ALWAYS_RELATED = frozenset({"trigger", "job"})

TriggerDep = Annotated[TriggerRequest, Depends(read_trigger)]
OptionalTriggerDep = Annotated[TriggerRequest, Depends(read_optional_trigger)]

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/jobs", tags=["jobs"])


@router.get("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/job_list_response.json"))
def list_jobs(account: AccountDep, services: ServicesDep, request: Request) -> JSONResponse:
    related = read_related(request.query_params)
    return LISTING.read(
        request,
        account.store.jobs,
        lambda job: view(to_job(job), services, related),
        {"account_id": account.id},
    )


@router.get(
    "/{job_id}/",
    openapi_extra=graded("C", "dbt-labs/dbt-jobs-as-code schemas/job.py, JobMissingFields"),
)
def read_job(job: JobDep, services: ServicesDep, request: Request) -> JSONResponse:
    return one(view(job, services, read_related(request.query_params)))


@router.post(
    "/{job_id}/run/",
    openapi_extra=graded("R", "kestra-io/plugin-dbt src/test/resources/responses/run.json"),
)
def trigger_run(job: JobDep, trigger: TriggerDep, services: ServicesDep) -> JSONResponse:
    run = add_run(services, job, trigger, "api")
    return one(services.views.one(run, ALWAYS_RELATED))


@router.post("/{job_id}/rerun/", openapi_extra=graded("D", OPENAPI_V2))
def rerun_job(job: JobDep, trigger: OptionalTriggerDep, services: ServicesDep) -> JSONResponse:
    """Resume the latest run where it failed; start a new one when that cannot be."""
    latest_id = services.store.latest_run_ids([job.id]).get(job.id)
    latest = latest_id and services.store.find_run(latest_id)
    if latest and why_not_retried(latest, latest.id) is None:
        run = resume_run(services, job, latest, trigger)
    else:
        run = add_run(services, job, trigger, "api")
    return one(services.views.one(run, ALWAYS_RELATED))


def add_run(services: Services, job: Job, trigger: TriggerRequest, category: str) -> Run:
    environment = services.account.environment(job.environment_id)
    values = trigger.model_dump() | {"cause": trigger.cause or "Triggered via API"}
    default_version = job.definition["dbt_version"] or environment.dbt_version
    return services.queue.add(
        job_id=job.id,
        project_id=job.project_id,
        environment_id=job.environment_id,
        dbt_version=trigger.dbt_version_override or default_version,
        trigger={name: values.get(name) for name in TRIGGER_FIELDS},
        cause_category=category,
        commands=trigger.steps_override or job.definition["execute_steps"],
    )


def resume_run(services: Services, job: Job, failed: Run, trigger: TriggerRequest) -> Run:
    """The commands that succeeded are not repeated; overrides of the failed run still count."""
    cause = trigger.cause or f"Resumed run {failed.id} from its failed step"
    rest = failed.commands[(failed.failed_command or 0) + 1 :]
    return services.queue.add(
        job_id=job.id,
        project_id=job.project_id,
        environment_id=job.environment_id,
        dbt_version=failed.dbt_version,
        trigger=failed.trigger | {"cause": cause},
        cause_category="rerun",
        commands=[RETRY, *rest],
        retrying_run_id=failed.id,
    )


def view(job: Job, services: Services, related: frozenset[str]) -> dict[str, Any]:
    shown = job_view(job)
    if "environment" in related:
        shown["environment"] = find_environment_v2(services.account, job.environment_id)
    if "custom_environment_variables" in related:
        variables = services.store.environment_variables.active(job_definition_id=job.id)
        shown["custom_environment_variables"] = [
            variable_view(services.account, variable) for variable in variables
        ]
    if "most_recent_run" in related:
        shown["most_recent_run"] = most_recent(services, job, {})
    if "most_recent_completed_run" in related:
        completed = [status for status in RunStatus if status.is_final]
        shown["most_recent_completed_run"] = most_recent(services, job, {"status__in": completed})
    return shown


def most_recent(services: Services, job: Job, filters: dict[str, Any]) -> dict[str, Any] | None:
    runs, _ = services.store.list_runs({"job_id": job.id, **filters}, "-id", 1, 0)
    return services.views.one(runs[0]) if runs else None
