"""/_local/links/: a link to a page that lets its reader in, for whoever has the token."""

from typing import Annotated

from fastapi import Depends
from pydantic import Field
from starlette.responses import JSONResponse

from local_dbt_cloud.routes.dependencies import BothSlashForms, ServicesDep
from local_dbt_cloud.wire.page_keys import SECONDS
from local_dbt_cloud.wire.request_body import RequestBody, body_of


# As it stands in the address of a page; it can lead to no other server.
PAGE = r"^/deploy/[A-Za-z0-9/_.%~-]*$"


class Link(RequestBody):
    page: Annotated[str, Field(pattern=PAGE, max_length=1000)]


LinkDep = Annotated[Link, Depends(body_of(Link))]

router = BothSlashForms(prefix="/_local/links", tags=["local controls"])


@router.post("/")
def make_link(link: LinkDep, services: ServicesDep) -> JSONResponse:
    """Nothing is stored: it is good for some minutes, and for anybody who has it."""
    key = services.page_keys.make("link")
    url = f"{services.settings.url}{link.page}?key={key}"
    return JSONResponse({"url": url, "seconds": SECONDS["link"]}, 201)
