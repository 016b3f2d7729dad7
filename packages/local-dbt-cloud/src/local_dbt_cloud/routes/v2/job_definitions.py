"""/jobs/: creating, replacing and deleting one. Looking at jobs, and starting them: `jobs.py`."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import JSONResponse

from dbt_cloud_api.job_model import may_become
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.declared.job_request import JobBody, JobReplacement
from local_dbt_cloud.routes.dependencies import ACCOUNT_V2, AccountDep, BothSlashForms, JobDep
from local_dbt_cloud.store.references import check_references
from local_dbt_cloud.store.removal import remove_job
from local_dbt_cloud.store.resource_store import DELETED_STATE, Definition
from local_dbt_cloud.store.stored_jobs import to_job
from local_dbt_cloud.views.job_views import job_view
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import InvalidRequestError
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, graded
from local_dbt_cloud.wire.request_body import body_of


BodyDep = Annotated[JobBody, Depends(body_of(JobBody))]
ReplacementDep = Annotated[JobReplacement, Depends(body_of(JobReplacement))]

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/jobs", tags=["jobs"])


@router.post("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/job_create_response.json"))
def create_job(account: AccountDep, body: BodyDep) -> JSONResponse:
    job = account.store.jobs.add(define(account, body), body.state)
    return created(job_view(to_job(job)))


@router.post(
    "/{job_id}/", openapi_extra=graded("R", "dbt-labs/dbt-cloud-openapi-spec, issue 69: the id")
)
def replace_job(account: AccountDep, job: JobDep, body: ReplacementDep) -> JSONResponse:
    """What is left out is reset. State 2 deletes the job, which is how Terraform does it."""
    if body.id != job.id:
        raise InvalidRequestError(id="The provided id does not match.")
    definition = define(account, body)
    before, after = job.definition["job_type"], definition["job_type"]
    if not may_become(before, after):
        raise InvalidRequestError(job_type=f"a job of type {before} cannot become one of {after}")
    replaced = account.store.jobs.change(job.id, lambda _: definition)
    if body.state == DELETED_STATE:
        replaced = remove_job(account.store, job.id)
    return one(job_view(to_job(replaced)))


@router.delete("/{job_id}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/job_delete_response.json"))
def delete_job(account: AccountDep, job: JobDep) -> JSONResponse:
    return one(job_view(to_job(remove_job(account.store, job.id))))


def define(account: Account, body: JobBody) -> Definition:
    definition = body.definition(account.id)
    check_references(account.store, {"project_id": body.project_id})
    # Another project's job or environment may be deferred to; its environment cannot run here.
    check_references(account.store, {"environment_id": body.environment_id}, body.project_id)
    check_references(account.store, definition)
    return definition
