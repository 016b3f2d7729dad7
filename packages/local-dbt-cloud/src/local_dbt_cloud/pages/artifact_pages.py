"""
The artifacts of a run, for a browser, which must not trust what is in them.

dbt's documentation runs what anybody has written into a model's description, scripts too. Therefore
a browser takes each artifact for a document of nobody (`sandbox`): without cookies, and without a
way to ask this server, Airflow or anybody else for more. dbt's documentation cannot fetch its data
then, so they are put into it, as `dbt docs generate --static` does.
"""

from pathlib import Path

from starlette.responses import FileResponse, HTMLResponse, Response

from local_dbt_cloud.pages.page_frame import ALONE
from local_dbt_cloud.routes.v2.artifacts import content_type
from local_dbt_cloud.runs.run_folder import RunFolder


SANDBOX = {
    **ALONE,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}
# Scripts of dbt's own, which look at the data and draw them.
WITH_SCRIPTS = {
    **ALONE,
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}
INLINE = {
    "manifest.json": '"MANIFEST.JSON INLINE DATA"',
    "catalog.json": '"CATALOG.JSON INLINE DATA"',
}


def artifact(folder: RunFolder, name: str) -> Response:
    found = folder.find_artifact(name, None)
    if found is None:
        return HTMLResponse("This run has no such artifact.\n", 404)
    if found.suffix == ".html":
        return HTMLResponse(with_data(found, folder), headers=WITH_SCRIPTS)
    return FileResponse(found, media_type=content_type(found), headers=SANDBOX)


def with_data(page: Path, folder: RunFolder) -> str:
    text = page.read_text(encoding="utf-8", errors="replace")
    for name, place in INLINE.items():
        data = folder.find_artifact(name, None) if place in text else None
        if data is not None:
            # In JSON a < is part of a text; as this it cannot end the script that it gets into.
            text = text.replace(place, data.read_text(encoding="utf-8").replace("<", "\\u003c"))
    return text
