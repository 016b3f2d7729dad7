"""The same facts for people, and for programs: plain lines, `KEY=value`, JSON."""

import json
import shlex
from collections.abc import Iterator

from local_airflow.status.facts import DbtCloudFacts, Status


PROBLEM = "  problem"


def as_json(status: Status) -> str:
    return json.dumps(status.as_json(), indent=2, ensure_ascii=False)


def as_env(status: Status) -> Iterator[str]:
    """Give lines for `eval "$(make status FORMAT=env)"`."""
    dbt_cloud, last = status.dbt_cloud, status.dbt_cloud.last_run or {}
    pairs = {
        "MODE": status.mode,
        "HEALTHY": str(status.healthy).lower(),
        "AIRFLOW_URL": status.airflow_url,
        "AIRFLOW_USERNAME": status.airflow_username,
        "AIRFLOW_PASSWORD": status.airflow_password,
        "POSTGRES_ADDRESS": status.postgres,
        "DBT_CLOUD": dbt_cloud.kind,
        "DBT_CLOUD_URL": dbt_cloud.url,
        "DBT_CLOUD_ACCOUNT_ID": dbt_cloud.account_id,
        "DBT_CLOUD_ACCOUNT_NAME": dbt_cloud.account_name,
        "DBT_CLOUD_JOB_ID": dbt_cloud.job_id,
        "DBT_CLOUD_JOB_NAME": dbt_cloud.job_name,
        "DBT_CLOUD_JOB_URL": dbt_cloud.job_url,
        "LAST_RUN_ID": last.get("id", ""),
        "LAST_RUN_STATUS": last.get("status_humanized", ""),
        "LAST_RUN_URL": last.get("href", ""),
        "DAG_IMPORT_ERRORS": "" if status.import_errors is None else len(status.import_errors),
        **{_key(name): version for name, version in status.versions.items()},
    }
    for key, value in pairs.items():
        yield f"{key}={shlex.quote(str(value))}"


def _key(name: str) -> str:
    return f"{name.upper().replace(' ', '_')}_VERSION"


def part_rows(status: Status) -> list[tuple[str, str, str, str]]:
    return [(part.name, part.state, part.place, str(part.restarts)) for part in status.parts]


def rows(status: Status) -> list[tuple[str, str]]:
    """Give the lines below the table: what it is, and where."""
    health = "all healthy" if status.healthy else "not all healthy"
    return [
        ("mode", f"{status.mode}, {health}"),
        *((PROBLEM, f"{full}; make room, the rest comes by itself") for full in status.full_disks),
        *((PROBLEM, part.problem) for part in status.parts if not part.is_healthy),
        ("Airflow", status.airflow_url),
        ("  login", f"{status.airflow_username}  {status.airflow_password}"),
        ("PostgreSQL", f"{status.postgres}, database warehouse"),
        *_dbt_cloud(status.dbt_cloud),
        ("DAG files", _dags(status.import_errors)),
        ("versions", ", ".join(f"{name} {version}" for name, version in status.versions.items())),
    ]


def _dbt_cloud(facts: DbtCloudFacts) -> Iterator[tuple[str, str]]:
    kind = "LOCAL" if facts.is_local else "your account"
    name = facts.account_name or facts.account_id
    yield "dbt Cloud", f"{kind}: {name}, {facts.url}"
    if facts.problem:
        yield PROBLEM, f"{facts.problem}; to find out more:   make doctor"
        return
    yield "  job", facts.job_name
    yield "", facts.job_url
    if facts.is_local:
        yield "  pages", "make open WHAT=dbt-cloud"
    last = facts.last_run
    if last is None:
        yield "  last run", "none yet; to start one:   make run"
    else:
        when = last["finished_at"] or last["created_at"]
        yield "  last run", f"{last['status_humanized']}, {when[:19]} UTC"
        yield "", last["href"]


def _dags(errors: list[str] | None) -> str:
    if errors is None:
        return "not known: Airflow does not answer"
    return f"{len(errors)} do not import: {', '.join(errors)}" if errors else "all import"


def plain(status: Status) -> Iterator[str]:
    table = [("PART", "STATE", "PROCESS", "RESTARTS"), *part_rows(status)]
    widths = [max(len(row[column]) for row in table) + 2 for column in range(3)]
    for row in table:
        yield "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) + row[3]
    yield ""
    for what, value in rows(status):
        yield f"{what:<12} {value}"
