"""/runs/{id}/retry/: what a failed run would repeat, and repeating it."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import ACCOUNT_V2, BothSlashForms, RunDep, ServicesDep
from local_dbt_cloud.runs.new_runs import skipped_commands
from local_dbt_cloud.views.run_views import ALWAYS_RELATED
from local_dbt_cloud.wire.envelope import one
from local_dbt_cloud.wire.evidence import OPENAPI_V2, graded
from local_dbt_cloud.wire.request_body import read_json_object


router = BothSlashForms(prefix=f"{ACCOUNT_V2}/runs/{{run_id}}/retry", tags=["runs"])


@router.get("/", openapi_extra=graded("D", OPENAPI_V2))
def read_failure(run: RunDep) -> JSONResponse:
    failed = run.failed_command
    return one(
        {
            "failed_step": None if failed is None else run.commands[failed],
            "skipped_steps": [] if failed is None else skipped_commands(run),
        }
    )


@router.post("/", openapi_extra=graded("D", OPENAPI_V2))
def retry_run(
    run: RunDep,
    services: ServicesDep,
    _body: Annotated[dict[str, object], Depends(read_json_object)],
) -> JSONResponse:
    """Only the latest run of its job, and only when it failed in a command that can be resumed."""
    return one(services.views.one(services.new_runs.retry(run), ALWAYS_RELATED))
