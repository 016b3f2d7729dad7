"""/users/ (v2 and v3) and /whoami/ (v2): the account's one user, who is whoever has the token."""

from typing import Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import USER_ID, Account
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V2,
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ServicesDep,
    find_account,
)
from local_dbt_cloud.wire.envelope import one, page
from local_dbt_cloud.wire.errors import NotFoundError
from local_dbt_cloud.wire.evidence import OPENAPI_V2, OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import read_paging
from local_dbt_cloud.wire.timestamps import iso, spaced


ORDERS = ("id", "email", "first_name", "last_name", "fullname", "created_at")
EMAIL, FIRST_NAME, LAST_NAME = "local@localhost", "Local", "User"


def refuse_others(user_id: Id) -> None:
    if user_id != USER_ID:
        raise NotFoundError


ONLY_USER = [Depends(refuse_others)]

router = BothSlashForms(tags=["users"])


@router.get("/api/v2/whoami/", openapi_extra=graded("C", "dbt-mcp and terraform: data.user.id"))
def who_am_i(services: ServicesDep) -> JSONResponse:
    return one({"user": user_view(services.account)})


@router.get(f"{ACCOUNT_V2}/users/", openapi_extra=graded("D", OPENAPI_V2))
@router.get(f"{ACCOUNT_V3}/users/", openapi_extra=graded("D", OPENAPI_V3))
def list_users(account: AccountDep, request: Request) -> JSONResponse:
    paging = read_paging(request.query_params, ORDERS)
    users = [user_view(account)][paging.offset :]
    return page(users, 1, paging, {"account_id": account.id})


@router.get(
    f"{ACCOUNT_V2}/users/{{user_id}}/",
    dependencies=[*ONLY_USER, Depends(find_account)],
    openapi_extra=graded("C", "dbtc, get_user"),
)
@router.get(
    "/api/v2/users/{user_id}/", dependencies=ONLY_USER, openapi_extra=graded("D", OPENAPI_V2)
)
def read_user_v2(services: ServicesDep) -> JSONResponse:
    return one(user_view(services.account))


@router.get(
    f"{ACCOUNT_V3}/users/{{user_id}}/",
    dependencies=ONLY_USER,
    openapi_extra=graded("D", OPENAPI_V3),
)
def read_user(account: AccountDep) -> JSONResponse:
    return one(
        {
            "id": USER_ID,
            "created_at": spaced(account.created_at),
            "updated_at": spaced(account.created_at),
            "email": EMAIL,
            "first_name": FIRST_NAME,
            "last_name": LAST_NAME,
            "fullname": f"{FIRST_NAME} {LAST_NAME}",
            "email_verified": True,
            "license": {"id": USER_ID, "license_type": "developer"},
            "is_active": True,
            "is_staff": False,
            "scim_managed": False,
        }
    )


@router.get(
    "/api/v3/users/{user_id}/credentials/",
    dependencies=ONLY_USER,
    openapi_extra=graded("D", OPENAPI_V3),
)
def list_user_credentials(request: Request) -> JSONResponse:
    """None: nobody develops in this account."""
    return page([], 0, read_paging(request.query_params), {"user_id": USER_ID})


def user_view(account: Account) -> dict[str, Any]:
    return {
        "id": USER_ID,
        "first_name": FIRST_NAME,
        "last_name": LAST_NAME,
        "email": EMAIL,
        "apitoken_last_used": None,
        "azure_active_directory_connected": False,
        "azure_active_directory_token_retrieval_failure": False,
        "azure_active_directory_username": None,
        "email_connected": True,
        "email_verified": True,
        "enterprise_connected": False,
        "enterprise_authentication_method": None,
        "github_connected": False,
        "github_username": None,
        "gitlab_connected": False,
        "gitlab_username": None,
        "is_active": True,
        "is_staff": False,
        "last_login": None,
        "sso_only_user": False,
        "github_token_retrieval_failure": False,
        "gitlab_token_retrieval_failure": False,
        "created_at": iso(account.created_at),
        "permissions": [permission_view(account)],
        "auth_provider_infos": {},
        "licenses": {str(account.id): {"license_type": "developer"}},
    }


def permission_view(account: Account) -> dict[str, Any]:
    return {
        "id": USER_ID,
        "account_id": account.id,
        "user_id": USER_ID,
        "license_type": "developer",
        "state": 1,
        "groups": [],
    }
