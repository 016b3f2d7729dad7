"""/jobs/, and starting a run."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from dbt_cloud_api.run_status import FINAL
from local_dbt_cloud.declared.trigger_request import (
    TriggerRequest,
    read_optional_trigger,
    read_trigger,
)
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    AccountDep,
    BothSlashForms,
    JobDep,
    Services,
    ServicesDep,
)
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.store.store import Job
from local_dbt_cloud.store.stored_jobs import to_job
from local_dbt_cloud.views.environment_variable_views import variable_view
from local_dbt_cloud.views.environment_views import find_environment_v2
from local_dbt_cloud.views.job_views import job_view
from local_dbt_cloud.views.run_views import ALWAYS_RELATED
from local_dbt_cloud.wire.envelope import one
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, OPENAPI_V2, graded
from local_dbt_cloud.wire.query_parameters import (
    boolean,
    integer,
    integers,
    read_related,
    split_list,
    text,
)


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
    run = services.new_runs.trigger(job, trigger.model_dump())
    return one(services.views.one(run, ALWAYS_RELATED))


@router.post("/{job_id}/rerun/", openapi_extra=graded("D", OPENAPI_V2))
def rerun_job(job: JobDep, trigger: OptionalTriggerDep, services: ServicesDep) -> JSONResponse:
    """Resume the latest run where it failed; start a new one when that cannot be."""
    run = services.new_runs.rerun(job, trigger.cause)
    return one(services.views.one(run, ALWAYS_RELATED))


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
        completed = list(FINAL)
        shown["most_recent_completed_run"] = most_recent(services, job, {"status__in": completed})
    return shown


def most_recent(services: Services, job: Job, filters: dict[str, Any]) -> dict[str, Any] | None:
    runs, _ = services.store.list_runs({"job_id": job.id, **filters}, "-id", 1, 0)
    return services.views.one(runs[0]) if runs else None
