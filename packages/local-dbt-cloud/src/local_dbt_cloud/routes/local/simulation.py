"""
/_local/: this server's own controls, never mixed into the API that it stands in for.

`docs/local_controls.md` describes them. All but the health need the token, as the API does.
"""

import shutil
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from local_dbt_cloud import VERSION
from local_dbt_cloud.routes.dependencies import BothSlashForms, Id, ServicesDep
from local_dbt_cloud.routes.openapi_document import describe_api
from local_dbt_cloud.simulation.faults import Fault
from local_dbt_cloud.simulation.simulated_runs import EndNow, NextEnd, Pace
from local_dbt_cloud.wire.errors import InvalidRequestError, NotFoundError
from local_dbt_cloud.wire.request_body import body_of


SERVICE = "local-dbt-cloud"
RUNS_SHOWN = 1000
RELATED = frozenset({"trigger", "job", "run_steps"})

FaultDep = Annotated[Fault, Depends(body_of(Fault))]
PaceDep = Annotated[Pace, Depends(body_of(Pace))]
NextEndDep = Annotated[NextEnd, Depends(body_of(NextEnd))]
EndNowDep = Annotated[EndNow, Depends(body_of(EndNow))]

router = BothSlashForms(prefix="/_local", tags=["local controls"])


@router.get("/health/")
def read_health(services: ServicesDep) -> JSONResponse:
    """Says who answers, so that nobody takes another process on this port for this server."""
    _, jobs = services.store.list_jobs({"state": 1}, "id", 1, 0)
    return JSONResponse(
        {
            "service": SERVICE,
            "status": "healthy",
            "version": VERSION,
            "account_id": services.account.id,
            "jobs": jobs,
            "state": str(services.settings.state),
        }
    )


@router.get("/jobs/")
def list_jobs(services: ServicesDep) -> JSONResponse:
    """The id of each active job, by its name."""
    jobs, _ = services.store.list_jobs({"state": 1}, "id", RUNS_SHOWN, 0)
    return JSONResponse({"jobs": {job.name: job.id for job in jobs}})


@router.get("/openapi.json")
def read_openapi(request: Request) -> JSONResponse:
    return JSONResponse(describe_api(request.app.state.routes))


@router.post("/reset/")
def reset(services: ServicesDep) -> JSONResponse:
    """
    As new: no runs, the jobs of `dbt_cloud_jobs.yml`, no faults, nothing held, the token valid.

    Runs in progress are stopped first. Ids go on from where they were.
    """
    services.controls.clear()
    services.queue.stop()
    services.store.clear()
    shutil.rmtree(services.settings.state / "runs", ignore_errors=True)
    services.redeclare()
    services.queue.open()
    return JSONResponse({"reset": True})


# Faults


@router.get("/faults/")
def list_faults(services: ServicesDep) -> JSONResponse:
    return JSONResponse({"faults": services.controls.faults.list()})


@router.post("/faults/")
def add_fault(fault: FaultDep, services: ServicesDep) -> JSONResponse:
    """Make the next requests that match fail."""
    return JSONResponse(services.controls.faults.add(fault).view(), 201)


@router.delete("/faults/")
def remove_faults(services: ServicesDep) -> JSONResponse:
    services.controls.faults.clear()
    return JSONResponse({"faults": []})


@router.delete("/faults/{fault_id}/")
def remove_fault(fault_id: Id, services: ServicesDep) -> JSONResponse:
    if not services.controls.faults.remove(fault_id):
        raise NotFoundError
    return JSONResponse({"faults": services.controls.faults.list()})


# Runs


@router.get("/pace/")
def read_pace(services: ServicesDep) -> JSONResponse:
    return JSONResponse(services.controls.runs.view())


@router.post("/pace/")
def set_pace(given: PaceDep, services: ServicesDep) -> JSONResponse:
    """Hold or release runs; let dbt run, or simulate it and for how long."""
    control = services.controls.runs
    if given.mode == "real" and services.settings.simulated:
        raise InvalidRequestError(mode="this server was started without dbt and a warehouse")
    control.set_pace(given)
    services.queue.look_again()
    return JSONResponse(control.view())


@router.get("/runs/")
def list_runs(services: ServicesDep) -> JSONResponse:
    """The last thousand as the API shows them, oldest first; faults do not reach this list."""
    runs, _ = services.store.list_runs({}, "-id", RUNS_SHOWN, 0)
    return JSONResponse({"runs": services.views.many(runs[::-1], RELATED)})


@router.post("/runs/next/")
def end_next_runs(end: NextEndDep, services: ServicesDep) -> JSONResponse:
    """How the next runs end. They run no dbt."""
    services.controls.runs.end_next(end)
    return JSONResponse(services.controls.runs.view(), 201)


@router.post("/runs/{run_id}/end/")
def end_run(run_id: Id, end: EndNowDep, services: ServicesDep) -> JSONResponse:
    """End a run that is queued or in progress, now; one that has ended stays as it is."""
    run = services.store.find_run(run_id)
    if run is None:
        raise NotFoundError
    services.queue.end(run, services.controls.runs.as_end(run, end))
    found = services.store.find_run(run_id) or run
    return JSONResponse({"id": found.id, "status": int(found.status)})


# The token, and what clients asked


@router.post("/token/revoke/")
def revoke_token(services: ServicesDep) -> JSONResponse:
    """From now on the API answers 401, as to a token that was deleted in dbt Cloud."""
    services.controls.token.is_revoked = True
    return JSONResponse({"revoked": True})


@router.post("/token/restore/")
def restore_token(services: ServicesDep) -> JSONResponse:
    services.controls.token.is_revoked = False
    return JSONResponse({"revoked": False})


@router.get("/requests/")
def list_requests(services: ServicesDep) -> JSONResponse:
    """The last thousand requests that were not for the local controls, oldest first."""
    return JSONResponse({"requests": services.controls.journal.list()})


@router.delete("/requests/")
def forget_requests(services: ServicesDep) -> JSONResponse:
    services.controls.journal.clear()
    return JSONResponse({"requests": []})
