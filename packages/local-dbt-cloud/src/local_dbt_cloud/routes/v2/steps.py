"""/steps/{id}/: one step of a run, with its logs."""

from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    AccountDep,
    BothSlashForms,
    Id,
    ServicesDep,
)
from local_dbt_cloud.routes.v2.artifacts import run_folder
from local_dbt_cloud.views.run_views import step_view
from local_dbt_cloud.wire.envelope import one
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import OPENAPI_V2, graded
from local_dbt_cloud.wire.query_parameters import read_related


RELATED = frozenset({"trigger", "job"})

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/steps", tags=["steps"])


@router.get("/{step_id}/", openapi_extra=graded("D", OPENAPI_V2))
def read_step(
    step_id: Id, account: AccountDep, services: ServicesDep, request: Request
) -> JSONResponse:
    """Trigger and job are those of the run, and keys only of who asks for them."""
    step = services.store.find_step(step_id)
    run = services.store.find_run(step.run_id) if step else None
    if step is None or run is None:
        raise NotFoundError
    related = read_related(request.query_params)
    folder = run_folder(services.settings, run.id)
    shown: dict[str, Any] = step_view(step, account.id, folder, whole_log="debug_logs" in related)
    asked = RELATED & related
    run_view = services.views.one(run, asked) if asked else {}
    return one(shown | {name: run_view[name] for name in sorted(asked)})
