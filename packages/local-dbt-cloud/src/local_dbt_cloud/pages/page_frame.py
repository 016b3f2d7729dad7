"""What all pages have in common: their frame, and what a browser may do with them."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse


if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = files("local_dbt_cloud.pages") / "templates"
STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
ALONE = {
    "Cache-Control": "no-store",
    # A page of another port of this machine can neither frame it nor load it as something else.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
STRICT = {
    **ALONE,
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}


@cache
def templates() -> "Environment":
    # Imported at the first page: the API must not wait for it at every start.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("local_dbt_cloud.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(STYLE)  # noqa: S704 # this package's own file
    return environment


def render(
    name: str, status_code: int = 200, headers: Mapping[str, str] = STRICT, **values: Any
) -> HTMLResponse:
    return HTMLResponse(templates().get_template(name).render(values), status_code, headers)
