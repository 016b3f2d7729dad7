"""/runs/{id}/artifacts/: the files that dbt wrote, byte for byte."""

from pathlib import Path

from fastapi import Request
from starlette.responses import FileResponse, JSONResponse

from local_dbt_cloud.routes.dependencies import ACCOUNT_V2, BothSlashForms, RunDep, ServicesDep
from local_dbt_cloud.runs.run_folder import RunFolder
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.wire.envelope import page
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, graded
from local_dbt_cloud.wire.query_parameters import Paging, integer, read_filters


CONTENT_TYPES = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".sql": "text/plain; charset=utf-8",
    ".yml": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".parquet": "application/x-parquet",
}

router = BothSlashForms(prefix=f"{ACCOUNT_V2}/runs/{{run_id}}/artifacts", tags=["artifacts"])


@router.get("/", openapi_extra=graded("R", f"{CLI_FIXTURES}/run_list_artifacts_response.json"))
def list_artifacts(run: RunDep, services: ServicesDep) -> JSONResponse:
    """Never cut into pages; `step` is ignored, as dbt Cloud ignores it here."""
    paths = run_folder(services.settings, run.id).list_artifacts()
    filters = {"account_id": services.account.id, "run_id": run.id}
    return page(paths, len(paths), Paging(max(len(paths), 1), 0, "id"), filters)


@router.get(
    "/{path:path}", openapi_extra=graded("R", f"{CLI_FIXTURES}/run_get_artifact_response.json")
)
def read_artifact(run: RunDep, path: str, services: ServicesDep, request: Request) -> FileResponse:
    step = read_filters(request.query_params, {"step": integer}).get("step")
    found = run_folder(services.settings, run.id).find_artifact(path, step)
    if found is None:
        raise NotFoundError
    return FileResponse(found, media_type=content_type(found))


def run_folder(settings: ServerSettings, run_id: int) -> RunFolder:
    return RunFolder(settings.state / "runs" / str(run_id))


def content_type(path: Path) -> str:
    return CONTENT_TYPES.get(path.suffix, "application/octet-stream")
