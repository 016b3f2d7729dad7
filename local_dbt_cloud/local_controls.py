"""/_local/: this server's own controls, never mixed into the API that it stands in for."""

from starlette.responses import JSONResponse

from local_dbt_cloud import VERSION
from local_dbt_cloud.dependencies import BothSlashForms, ServicesDep


SERVICE = "local-dbt-cloud"

router = BothSlashForms(prefix="/_local", include_in_schema=False)


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
