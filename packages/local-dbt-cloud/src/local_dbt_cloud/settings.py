"""What the server is told at its start: one frozen object from the process environment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dbt_cloud_api.user_error import UserError


LOCAL_HOST_NAMES = frozenset({"localhost", "127.0.0.1", "local-dbt-cloud", "host.docker.internal"})
SWITCH = {"": True, "true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Warehouse:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


# Simulated runs write a profile as others do; nobody reads it.
NO_WAREHOUSE = Warehouse("localhost", 5432, "nobody", "", "none")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`url` is the public base of every href, without a slash at its end."""

    listen_on: str
    port: int
    url: str
    state: Path
    tls: Path
    token: str = field(repr=False)
    dbt: Path
    jobs: Path
    cause_required: bool
    warehouse: Warehouse
    webhook_retry_seconds: float = 5
    webhook_failures: int = 1000
    warm_dbt: bool = True
    simulated: bool = False
    # Where people log in, for those who come to a page without a link to it.
    airflow_url: str = ""

    @classmethod
    def read(cls, process_env: Mapping[str, str] = os.environ) -> Self:
        """Raise `UserError` for whatever is missing or is not what it should be."""
        port = read_port(process_env, "LOCAL_DBT_CLOUD_PORT", "8443")
        simulated = read_runs(process_env)
        state = Path(process_env.get("LOCAL_DBT_CLOUD_STATE", ".local/state/dbt_cloud")).absolute()
        return cls(
            listen_on=process_env.get("LOCAL_DBT_CLOUD_LISTEN_ON", "127.0.0.1"),
            port=port,
            url=process_env.get("LOCAL_DBT_CLOUD_URL", f"https://localhost:{port}").rstrip("/"),
            state=state,
            tls=read_tls_folder(process_env),
            token=require(process_env, "LOCAL_DBT_CLOUD_TOKEN"),
            dbt=read_dbt(process_env, needed=not simulated),
            jobs=Path(process_env.get("LOCAL_DBT_CLOUD_JOBS", "dbt_cloud_jobs.yml")).absolute(),
            cause_required=read_switch(process_env, "LOCAL_DBT_CLOUD_CAUSE_REQUIRED"),
            webhook_retry_seconds=read_number(
                process_env, "LOCAL_DBT_CLOUD_WEBHOOK_RETRY_SECONDS", "5"
            ),
            webhook_failures=int(
                read_number(process_env, "LOCAL_DBT_CLOUD_WEBHOOK_FAILURES", "1000")
            ),
            warehouse=NO_WAREHOUSE if simulated else read_warehouse(process_env),
            warm_dbt=not simulated and read_switch(process_env, "LOCAL_DBT_CLOUD_WARM_DBT"),
            simulated=simulated,
            airflow_url=process_env.get("LOCAL_DBT_CLOUD_AIRFLOW_URL", "").rstrip("/"),
        )


def read_tls_folder(process_env: Mapping[str, str]) -> Path:
    return Path(process_env.get("LOCAL_DBT_CLOUD_TLS", ".local/state/tls")).absolute()


def read_runs(process_env: Mapping[str, str]) -> bool:
    """Whether runs are simulated, which needs neither dbt nor a warehouse."""
    value = process_env.get("LOCAL_DBT_CLOUD_RUNS", "").strip().lower() or "real"
    if value not in {"real", "simulated"}:
        raise UserError(
            f"LOCAL_DBT_CLOUD_RUNS={value} is neither real nor simulated",
            "Real runs run dbt; simulated ones end at once with made-up results.",
            ("set LOCAL_DBT_CLOUD_RUNS=real or LOCAL_DBT_CLOUD_RUNS=simulated",),
        )
    return value == "simulated"


def read_dbt(process_env: Mapping[str, str], *, needed: bool) -> Path:
    dbt = Path(process_env.get("LOCAL_DBT_CLOUD_DBT", ".local/dbt/bin/dbt")).absolute()
    if needed and not os.access(dbt, os.X_OK):
        raise UserError(
            f"there is no dbt at {dbt}",
            "LOCAL_DBT_CLOUD_DBT points there; it must be the dbt executable that runs jobs.",
            ("make up   (installs it)", "or set LOCAL_DBT_CLOUD_DBT to another dbt executable"),
        )
    return dbt


def read_warehouse(process_env: Mapping[str, str]) -> Warehouse:
    return Warehouse(
        host=require(process_env, "WAREHOUSE_HOST"),
        port=read_port(process_env, "WAREHOUSE_PORT", ""),
        user=require(process_env, "WAREHOUSE_USER"),
        password=require(process_env, "WAREHOUSE_PASSWORD"),
        database=require(process_env, "WAREHOUSE_DATABASE"),
    )


def require(process_env: Mapping[str, str], name: str) -> str:
    value = process_env.get(name, "").strip()
    if not value:
        raise UserError(
            f"{name} is not set",
            "The local dbt Cloud needs it, and no value is right for everybody.",
            ("make up   (starts the server with all it needs)", f"or set {name}=…"),
        )
    return value


def read_port(process_env: Mapping[str, str], name: str, default: str) -> int:
    value = process_env.get(name, default) or require(process_env, name)
    if value.isascii() and value.isdigit() and 0 < int(value) < 2**16:
        return int(value)
    raise UserError(
        f"{name}={value} is not a port",
        "A port is a whole number from 1 to 65535.",
        (f"set {name} to such a number, for example {name}=8443",),
    )


def read_number(process_env: Mapping[str, str], name: str, default: str) -> float:
    value = process_env.get(name, "").strip() or default
    with suppress(ValueError):
        if 0 < (number := float(value)) < float("inf"):
            return number
    raise UserError(
        f"{name}={value} is not a number above 0",
        "It says how long or how often.",
        (f"set {name} to such a number, for example {name}={default}",),
    )


def read_switch(process_env: Mapping[str, str], name: str) -> bool:
    value = process_env.get(name, "").strip().lower()
    if value in SWITCH:
        return SWITCH[value]
    raise UserError(
        f"{name}={value} is neither true nor false",
        "It is a switch.",
        (f"set {name}=true or {name}=false",),
    )
