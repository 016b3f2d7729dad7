"""
Endpoints that dbt Cloud has at a path where this server answers another method.

Every other unknown path under /api/ answers 501 by itself; these would answer 405, as if dbt
Cloud did not have them.
"""

from fastapi import Request
from starlette.responses import Response

from local_dbt_cloud.routes.dependencies import ACCOUNT_V2, ACCOUNT_V3, BothSlashForms
from local_dbt_cloud.wire.errors import NotImplementedHereError


ENDPOINTS = (
    (f"{ACCOUNT_V2}/", ["POST", "PATCH"]),
    ("/api/v2/users/{user_id}/", ["POST"]),
    (f"{ACCOUNT_V3}/connections/test/", ["POST"]),
    ("/api/v3/users/{user_id}/credentials/", ["POST"]),
)

router = BothSlashForms(include_in_schema=False)


def refuse(request: Request) -> Response:
    raise NotImplementedHereError(request.method, request.url.path)


for path, methods in ENDPOINTS:
    router.api_route(path, methods=methods)(refuse)
