"""/accounts/ (v2 and v3)"""

from typing import Any

from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.routes.dependencies import ACCOUNT_V2, AccountDep, BothSlashForms, ServicesDep
from local_dbt_cloud.runs.run_execution import ACCOUNT_LIMIT_SECONDS
from local_dbt_cloud.wire.envelope import one, whole
from local_dbt_cloud.wire.evidence import CLI_FIXTURES, graded
from local_dbt_cloud.wire.timestamps import iso


RECORDED_LIST = f"{CLI_FIXTURES}/account_list_response.json"

router = BothSlashForms(tags=["accounts"])


@router.get("/api/v2/accounts/", openapi_extra=graded("R", RECORDED_LIST))
@router.get("/api/v3/accounts/", openapi_extra=graded("C", "dbt-cloud-cli, dbtc, dbt-mcp"))
def list_accounts(services: ServicesDep) -> JSONResponse:
    """As recorded: filtered by the accounts of the token, and without a limit."""
    account = services.account
    return whole([account_view(account)], {"pk__in": [account.id]})


@router.get(
    f"{ACCOUNT_V2}/", openapi_extra=graded("R", f"{CLI_FIXTURES}/account_get_response.json")
)
def read_account(account: AccountDep) -> JSONResponse:
    return one(account_view(account))


def account_view(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.declared.name,
        "plan": "enterprise",
        "run_slots": account.declared.run_slots,
        "developer_seats": 1,
        "it_seats": 0,
        "explorer_seats": 0,
        "analyst_seats": 0,
        "read_only_seats": 0,
        "locked": False,
        "lock_reason": None,
        "lock_cause": None,
        "unlocked_at": None,
        "pending_cancel": False,
        "billing_email_address": None,
        "pod_memory_request_mebibytes": 600,
        "develop_pod_memory_request_mebibytes": 0,
        "run_duration_limit_seconds": ACCOUNT_LIMIT_SECONDS,
        "queue_limit": account.declared.queue_limit,
        "enterprise_login_slug": None,
        "business_critical": False,
        "starter_repo_url": None,
        "git_auth_level": "personal",
        "identifier": "local",
        "trial_end_date": None,
        # A label in front of the host, which clients put there; this host has none.
        "static_subdomain": None,
        "vanity_subdomain": None,
        "run_locked_until": None,
        "state": 1,
        "docs_job_id": None,
        "freshness_job_id": None,
        "copilot_locked_until": None,
        "agent_credit_locked": False,
        "account_migration_events": [],
        "groups": [],
        "created_at": iso(account.created_at),
        "updated_at": iso(account.created_at),
    }
