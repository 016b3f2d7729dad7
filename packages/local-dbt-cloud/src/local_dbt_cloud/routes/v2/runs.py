"""
Look at runs, or cancel one.

Starting a run belongs to `jobs.py`; reading what it left behind, to `artifacts.py`.
"""

from fastapi import Request
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    AccountDep,
    BothSlashForms,
    RunDep,
    ServicesDep,
)
from local_dbt_cloud.wire.envelope import one, page
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, graded
from local_dbt_cloud.wire.query_parameters import (
    as_echoed,
    boolean,
    integer,
    integers,
    moments,
    read_filters,
    read_paging,
    read_related,
    split_list,
    text,
)


FILTERS = {
    "job_definition_id": integer,
    "project_id": integer,
    "project_id__in": integers,
    "environment_id": integer,
    "status": integer,
    "status__in": integers,
    "created_at__range": moments,
    "finished_at__range": moments,
    "id__gt": integer,
    "pk": integer,
    "pk__in": integers,
    "dbt_version": text,
    "dbt_version__in": split_list,
    "deferring_run_id": integer,
    "has_docs_generated": boolean,
    "has_sources_generated": boolean,
}
ORDERS = ("id", "created_at", "finished_at")
# As documented, a list shows less than one run does; what else is asked for stays null.
RELATED_IN_LISTS = frozenset({"trigger", "job"})

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/runs", tags=["runs"])


@router.get("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/run_list_response.json"))
def list_runs(account: AccountDep, services: ServicesDep, request: Request) -> JSONResponse:
    filters = read_filters(request.query_params, FILTERS)
    paging = read_paging(request.query_params, ORDERS)
    runs, total = services.store.list_runs(filters, paging.order_by, paging.limit, paging.offset)
    related = read_related(request.query_params) & RELATED_IN_LISTS
    items = services.views.many(runs, related)
    effective = {"account_id": account.id, "state": "all", **as_echoed(filters)}
    return page(items, total, paging, effective)


@router.get("/{run_id}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/run_get_response.json"))
def read_run(run: RunDep, services: ServicesDep, request: Request) -> JSONResponse:
    return one(services.views.one(run, read_related(request.query_params)))


@router.post(
    "/{run_id}/cancel/", openapi_extra=graded("R", f"{CLI_FIXTURES}/run_cancel_response.json")
)
def cancel_run(run: RunDep, services: ServicesDep) -> JSONResponse:
    """A run that has ended is answered as it is."""
    services.queue.cancel(run)
    return one(services.views.one(services.store.find_run(run.id) or run))
