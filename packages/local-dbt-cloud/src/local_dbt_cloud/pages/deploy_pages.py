"""
/deploy/: pages for people. The "Monitor Job Run" link of Airflow's UI lands here.

They only read: nothing but GET is answered. `page_login.py` decides who may see them.
"""

from typing import Any

from starlette.responses import Response

from local_dbt_cloud.pages.artifact_pages import artifact
from local_dbt_cloud.pages.page_frame import render
from local_dbt_cloud.routes.dependencies import (
    BothSlashForms,
    JobDep,
    ProjectDep,
    RunDep,
    Services,
    ServicesDep,
)
from local_dbt_cloud.routes.v2.artifacts import run_folder
from local_dbt_cloud.store.store import Run
from local_dbt_cloud.wire.evidence import graded
from local_dbt_cloud.wire.timestamps import humanized, seconds_between


PROJECT = "/deploy/{account_id}/projects/{project_id}"
RUNS_SHOWN = 50
SHOWN = frozenset({"trigger", "job", "environment", "run_steps"})

router = BothSlashForms(include_in_schema=False)


@router.get("/", openapi_extra=graded("C", "Airflow's provider, hooks/dbt.py, test_connection"))
def read_root() -> Response:
    """Airflow's "Test connection" asks for nothing else; 2xx is all that it looks at."""
    return render("way_in.html", heading="The local dbt Cloud", what="dbt-cloud", airflow="")


@router.get(f"{PROJECT}/jobs/{{job_id}}/")
def show_job(project: ProjectDep, job: JobDep, services: ServicesDep) -> Response:
    runs, total = services.store.list_runs({"job_id": job.id}, "-id", RUNS_SHOWN, 0)
    return render(
        "job.html",
        project=project,
        job=job,
        runs=[shown_run(services, run) for run in runs],
        total=total,
        refresh=any(not run.status.is_final for run in runs),
    )


@router.get(f"{PROJECT}/runs/{{run_id}}/")
def show_run(project: ProjectDep, run: RunDep, services: ServicesDep) -> Response:
    folder = run_folder(services.settings, run.id)
    results = folder.run_results(*reversed(folder.kept_steps()))
    return render(
        "run.html",
        project=project,
        run=services.views.one(run, SHOWN),
        status=run.status,
        job_url=f"/deploy/{services.account.id}/projects/{project.id}/jobs/{run.job_id}/",
        results=sorted(results.nodes, key=lambda node: node.severity, reverse=True),
        artifacts=folder.list_artifacts(),
        refresh=not run.status.is_final,
    )


@router.get(f"{PROJECT}/runs/{{run_id}}/artifacts/{{path:path}}")
def show_artifact(run: RunDep, path: str, services: ServicesDep) -> Response:
    return artifact(run_folder(services.settings, run.id), path)


def shown_run(services: Services, run: Run) -> dict[str, Any]:
    project = f"/deploy/{services.account.id}/projects/{run.project_id}"
    return {
        "id": run.id,
        "url": f"{project}/runs/{run.id}/",
        "status": run.status,
        "cause": run.trigger["cause"],
        "created_at": run.created_at,
        "duration": humanized(seconds_between(run.started_at, run.finished_at)),
        "message": run.status_message,
    }
