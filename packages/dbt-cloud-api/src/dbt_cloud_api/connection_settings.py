"""
Turn `.env` into the Airflow connection.

One pure function decides: an empty DBT_CLOUD_API_TOKEN means the local dbt Cloud, a token means
the account that DBT_CLOUD_JOB_URL names. Nothing here imports Airflow, so that the launcher can
check `.env` before it starts anything:

    python3 -m dbt_cloud_api.connection_settings            the token is masked
    python3 -m dbt_cloud_api.connection_settings --reveal   for a pipe: the token is in the output
    python3 -m dbt_cloud_api.connection_settings --variable   the same, as AIRFLOW_CONN_… wants it
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from dbt_cloud_api.job_url import WANTED_SHAPE, JobUrl, bare_host, parse_job_url, read_id
from dbt_cloud_api.user_error import UserError


CONNECTION_ID = "dbt_cloud_default"
# The account and the sample job that `dbt_cloud_jobs.yml` declares; a test compares the two.
LOCAL_ACCOUNT_ID = 70403103900001
LOCAL_JOB_ID = 70403103900101

MASK = "***"


@dataclass(frozen=True, slots=True)
class DbtCloudConnection:
    """
    The Airflow connection, field by field.

    `account_id` becomes the login, which the provider wants as text. `job_id` and `is_local` go
    into the extra, where the sample DAG and the page read them, so that neither reads `.env`.
    """

    host: str
    account_id: int
    job_id: int
    token: str = field(repr=False)
    is_local: bool

    @property
    def description(self) -> str:
        where = "the local dbt Cloud" if self.is_local else f"account {self.account_id}"
        return f"Written from .env at every start: {where}."

    def fields(self) -> dict[str, str]:
        """Give the fields as Airflow's REST API and `Connection` model name them."""
        return {
            "conn_type": "dbt_cloud",
            "host": self.host,
            "login": str(self.account_id),
            "password": self.token,
            "extra": json.dumps({"job_id": self.job_id, "is_local": self.is_local}),
            "description": self.description,
        }


def connection_from(settings: Mapping[str, str]) -> DbtCloudConnection:
    """
    Decide the connection from the variables of `.env`.

    Raises `UserError` when they contradict each other or leave something open.
    """
    settings = {key: value.strip() for key, value in settings.items()}
    if settings.get("DBT_CLOUD_API_TOKEN"):
        return _account_connection(settings)
    return _local_connection(settings)


def _account_connection(settings: Mapping[str, str]) -> DbtCloudConnection:
    job_url = _job_url(settings)
    token = settings["DBT_CLOUD_API_TOKEN"]
    if any(character.isspace() for character in token):
        raise UserError(
            "DBT_CLOUD_API_TOKEN has a blank in it.",
            "A token is one word; probably more than the token was pasted.",
            ("Copy the token once more into .env:   DBT_CLOUD_API_TOKEN=dbtc_…",),
        )
    return DbtCloudConnection(
        host=job_url.host,
        account_id=job_url.account_id,
        job_id=job_url.job_id,
        token=token,
        is_local=False,
    )


def _local_connection(settings: Mapping[str, str]) -> DbtCloudConnection:
    url = settings.get("LOCAL_DBT_CLOUD_URL", "")
    token = settings.get("LOCAL_DBT_CLOUD_TOKEN", "")
    if not (url and token):
        raise UserError(
            "There is no dbt Cloud to talk to.",
            "DBT_CLOUD_API_TOKEN is empty and no local dbt Cloud was started.",
            (
                "To start the local one:   make up",
                "To use your account, set DBT_CLOUD_JOB_URL and DBT_CLOUD_API_TOKEN in .env",
            ),
        )
    local = JobUrl(bare_host(url), LOCAL_ACCOUNT_ID, LOCAL_JOB_ID)
    job_url = _local_job_url(settings, local)
    return DbtCloudConnection(
        host=job_url.host,
        account_id=job_url.account_id,
        job_id=job_url.job_id,
        token=token,
        is_local=True,
    )


def _local_job_url(settings: Mapping[str, str], local: JobUrl) -> JobUrl:
    """Let `.env` choose another local job, but never an account without a token for it."""
    pasted = settings.get("DBT_CLOUD_JOB_URL", "")
    chosen = _with_overrides(parse_job_url(pasted) if pasted else local, settings)
    # The browser may know the local dbt Cloud by another name than Airflow does.
    public = settings.get("LOCAL_DBT_CLOUD_PUBLIC_URL", "")
    if public and chosen.host == bare_host(public):
        chosen = replace(chosen, host=local.host)
    if (chosen.host, chosen.account_id) != (local.host, local.account_id):
        raise UserError(
            f".env names account {chosen.account_id} at {chosen.host}, but no token for it.",
            "DBT_CLOUD_API_TOKEN is empty, which means the local dbt Cloud.",
            (
                "To use that account, set in .env:   DBT_CLOUD_API_TOKEN=dbtc_…",
                "To stay local, leave DBT_CLOUD_JOB_URL, _HOST and _ACCOUNT_ID empty in .env",
            ),
        )
    return chosen


def _job_url(settings: Mapping[str, str]) -> JobUrl:
    pasted = settings.get("DBT_CLOUD_JOB_URL", "")
    if pasted:
        return _with_overrides(parse_job_url(pasted), settings)
    missing = [
        name
        for name in ("DBT_CLOUD_HOST", "DBT_CLOUD_ACCOUNT_ID", "DBT_CLOUD_JOB_ID")
        if not settings.get(name)
    ]
    if missing:
        raise UserError(
            "DBT_CLOUD_API_TOKEN is set, but .env does not say which job to run.",
            f"DBT_CLOUD_JOB_URL is empty, and so is {', '.join(missing)}.",
            (f"In .env:   DBT_CLOUD_JOB_URL={WANTED_SHAPE}",),
        )
    return _with_overrides(JobUrl("", 0, 0), settings)


def _with_overrides(job_url: JobUrl, settings: Mapping[str, str]) -> JobUrl:
    host = settings.get("DBT_CLOUD_HOST", "")
    return replace(
        job_url,
        host=bare_host(host) if host else job_url.host,
        account_id=_number(settings, "DBT_CLOUD_ACCOUNT_ID") or job_url.account_id,
        job_id=_number(settings, "DBT_CLOUD_JOB_ID") or job_url.job_id,
    )


def _number(settings: Mapping[str, str], name: str) -> int | None:
    text = settings.get(name, "")
    if not text:
        return None
    number = read_id(text)
    if number is None:
        raise UserError(
            f"{name} is not a number of dbt Cloud: {text}",
            "It names accounts and jobs by whole numbers of up to 19 digits.",
            (f"In .env, for example:   {name}=70471823545829", "Or leave it empty."),
        )
    return number


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m dbt_cloud_api.connection_settings")
    parser.add_argument("--reveal", action="store_true", help="print the token, for a pipe")
    parser.add_argument("--variable", action="store_true", help="as a variable AIRFLOW_CONN_…")
    chosen = parser.parse_args(arguments)
    try:
        connection = connection_from(os.environ)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if chosen.variable:
        print(json.dumps(connection.fields()))
        return 0
    shown = connection if chosen.reveal else replace(connection, token=MASK)
    print(json.dumps({"connection_id": CONNECTION_ID, **asdict(shown)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
