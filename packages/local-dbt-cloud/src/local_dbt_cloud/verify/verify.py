"""
python -m local_dbt_cloud verify: does a real account answer as the local dbt Cloud does?

Makes read-only calls to the account that `.env` names and to a local dbt Cloud of its own, whose
runs are simulated, and compares the shapes of the answers: keys, types, formats. No value of the
account, and no token, is printed or kept.
"""

import os
import ssl
import sys
import time
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

import certifi

from dbt_cloud_api.connection_settings import connection_from
from dbt_cloud_api.dotenv_file import read_dotenv
from dbt_cloud_api.job_url import EXAMPLE
from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.testing.test_client import DbtCloud, start_dbt_cloud
from local_dbt_cloud.verify.json_shapes import compare, shape_of
from local_dbt_cloud.verify.verify_calls import CALLS, Call, Side


ALIKE, DIFFERENT, NOT_COMPARED = "✓", "✗", "·"
UNAUTHORIZED, NOT_IMPLEMENTED = 401, 501


def verify(process_env: Mapping[str, str] = os.environ) -> int:
    """Print what differs; 0 when nothing does, 1 when something does, 2 when it cannot be told."""
    try:
        there = real_side({**read_dotenv(Path(".env")), **process_env})
        jobs = Path(process_env.get("LOCAL_DBT_CLOUD_JOBS", "dbt_cloud_jobs.yml")).absolute()
        dbt_cloud = start_dbt_cloud(jobs, {"LOCAL_DBT_CLOUD_RUNS": "simulated"})
        try:
            return report(there, local_side(dbt_cloud))
        finally:
            dbt_cloud.server.stop()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def real_side(settings: Mapping[str, str]) -> Side:
    """The account that the settings name; raise `UserError` when they name none."""
    if not settings.get("DBT_CLOUD_API_TOKEN", "").strip():
        raise UserError(
            "there is no account to compare with",
            "DBT_CLOUD_API_TOKEN is empty.",
            (
                f"in .env:   DBT_CLOUD_JOB_URL={EXAMPLE}",
                "in .env:   DBT_CLOUD_API_TOKEN=dbtc_…   (a token that may only read is enough)",
            ),
        )
    account = connection_from(settings)
    ids = {"account": account.account_id, "job": account.job_id}
    bundle = settings.get("SSL_CERT_FILE") or certifi.where()
    trusted = ssl.create_default_context(cafile=bundle)
    return Side(account.host, account.token, trusted, ids)


def local_side(dbt_cloud: DbtCloud) -> Side:
    """A local dbt Cloud in which a run has succeeded, so that there is something to show."""
    connection = dbt_cloud.connection
    path = f"/api/v2/accounts/{connection.account_id}/jobs/{connection.job_id}/run/"
    dbt_cloud.server.ask("POST", path, {"cause": "to have a run to show"})
    deadline = time.monotonic() + 10
    while dbt_cloud.runs[0].status != "success" and time.monotonic() < deadline:
        time.sleep(0.05)
    ids = {"account": connection.account_id, "job": connection.job_id}
    trusted = ssl.create_default_context(cafile=connection.ca_bundle)
    return Side(connection.host, connection.token, trusted, ids)


def report(there: Side, here: Side) -> int:
    print(f"comparing {there.host} with the local dbt Cloud: shapes only, with calls that read\n")
    counts: Counter[str] = Counter()
    for call in CALLS:
        mark, lines = compare_call(call, there, here)
        counts[mark] += 1
        print(f"  {mark} {call}")
        for line in lines:
            print(f"      {line}")
    print(
        f"\n{len(CALLS)} calls: {counts[ALIKE]} alike, {counts[DIFFERENT]} different, "
        f"{counts[NOT_COMPARED]} not compared"
    )
    return 1 if counts[DIFFERENT] else 0


def compare_call(call: Call, there: Side, here: Side) -> tuple[str, list[str]]:
    try:
        status_there, content_there = there.ask(call)
        status_here, content_here = here.ask(call)
    except KeyError as error:
        return NOT_COMPARED, [f"no {error.args[0]} is known to ask for"]
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{there.host} does not answer",
            f"{call} gave: {error}.",
            ("check DBT_CLOUD_JOB_URL in .env and the network, then ask again",),
        ) from None
    if call is CALLS[0] and status_there == UNAUTHORIZED:
        raise UserError(
            f"{there.host} does not accept the token",
            f"{call} gave 401: the token is wrong or another host's, or the account's plan has "
            "no API.",
            ("check DBT_CLOUD_API_TOKEN in .env, and the host in DBT_CLOUD_JOB_URL",),
        )
    if status_here == NOT_IMPLEMENTED:
        return NOT_COMPARED, ["not implemented here"]
    if status_there != status_here:
        if is_refusal(status_there, status_here):
            return NOT_COMPARED, [f"dbt Cloud answers {status_there}: the token may not read it"]
        return DIFFERENT, [f"status {status_there} there, {status_here} here"]
    differences = compare(shape_of(content_there), shape_of(content_here))
    return (DIFFERENT if differences else ALIKE), differences


def is_refusal(there: int, here: int) -> bool:
    return there in {401, 403} and here < 400  # noqa: PLR2004 - HTTP's own numbers
