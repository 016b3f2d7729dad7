"""
Endpoints that dbt Cloud has at a path where this server answers another method.

Every other unknown path under /api/ answers 501 by itself; these would answer 405, as if dbt
Cloud did not have them.
"""

from fastapi import Request
from starlette.responses import Response

from local_dbt_cloud.dependencies import ACCOUNT_V2, ACCOUNT_V3, AccountDep, BothSlashForms
from local_dbt_cloud.errors import NotImplementedHereError


ENDPOINTS = (
    (f"{ACCOUNT_V2}/jobs/", ["POST"]),
    (f"{ACCOUNT_V2}/jobs/{{job_id}}/", ["POST", "DELETE"]),
    (f"{ACCOUNT_V3}/projects/", ["POST"]),
    (f"{ACCOUNT_V3}/projects/{{project_id}}/", ["POST", "DELETE"]),
    (f"{ACCOUNT_V3}/projects/{{project_id}}/environments/", ["POST"]),
    (f"{ACCOUNT_V3}/projects/{{project_id}}/environments/{{environment_id}}/", ["POST", "DELETE"]),
)

router = BothSlashForms(include_in_schema=False)


def refuse(account: AccountDep, request: Request) -> Response:  # noqa: ARG001 - the account is asked for so that another one is refused
    raise NotImplementedHereError(request.method, request.url.path)


for path, methods in ENDPOINTS:
    router.api_route(path, methods=methods)(refuse)
