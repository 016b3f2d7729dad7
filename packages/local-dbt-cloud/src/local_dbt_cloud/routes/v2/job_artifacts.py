"""/jobs/{id}/artifacts/: the newest version of a file that any of the job's runs has left."""

from collections.abc import Iterator

from fastapi import Request
from starlette.responses import FileResponse

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    BothSlashForms,
    JobDep,
    Services,
    ServicesDep,
)
from local_dbt_cloud.routes.v2.artifacts import content_type, run_folder
from local_dbt_cloud.routes.v2.runs import FILTERS
from local_dbt_cloud.store.store import Job, Run
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import OPENAPI_V2, graded
from local_dbt_cloud.wire.query_parameters import integer, read_filters


AT_A_TIME = 100

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/jobs/{{job_id}}/artifacts", tags=["artifacts"])


@router.get("/{path:path}", openapi_extra=graded("D", OPENAPI_V2))
def read_job_artifact(
    job: JobDep, path: str, services: ServicesDep, request: Request
) -> FileResponse:
    """Of runs that succeeded, unless the filters of a list of runs say otherwise."""
    step = read_filters(request.query_params, {"step": integer}).get("step")
    filters = {"status": int(RunStatus.SUCCESS), **read_filters(request.query_params, FILTERS)}
    if "status__in" in filters:
        del filters["status"]
    for run in list_newest_first(services, job, filters):
        found = run_folder(services.settings, run.id).find_artifact(path, step)
        if found is not None:
            return FileResponse(found, media_type=content_type(found))
    raise NotFoundError


def list_newest_first(services: Services, job: Job, filters: dict[str, object]) -> Iterator[Run]:
    offset, total = 0, 1
    while offset < total:
        runs, total = services.store.list_runs(
            {**filters, "job_id": job.id}, "-id", AT_A_TIME, offset
        )
        yield from runs
        offset += AT_A_TIME
