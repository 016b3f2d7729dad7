"""Ask the stack, Airflow and dbt Cloud what there is to say. Changes nothing."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.job_url import Address
from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.user_error import UserError
from local_airflow.doctor.pins import locked_versions
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api, read_connection
from local_airflow.stack.disk_space import full_disks
from local_airflow.stack.mode import Mode, Part
from local_airflow.stack.part_probes import (
    API_SERVER,
    DATABASE,
    LOCAL_DBT_CLOUD,
    SECONDS_TO_ANSWER,
    SOCKETS_GIVE_UP,
    look_at_parts,
)
from local_airflow.stack.side_by_side import Deadline, begin


OF_A_RUN = ("id", "status_humanized", "href", "created_at", "finished_at")
PROVIDER = "apache-airflow-providers-dbt-cloud"


@dataclass(frozen=True, slots=True)
class DbtCloudFacts:
    """`problem` says why the rest is not known; then names are empty and `last_run` is None."""

    is_local: bool
    url: str
    account_id: int
    job_id: int
    account_name: str = ""
    job_name: str = ""
    job_url: str = ""
    last_run: dict[str, Any] | None = None
    problem: str = ""

    @property
    def kind(self) -> str:
        return "LOCAL" if self.is_local else "ACCOUNT"


@dataclass(frozen=True, slots=True)
class Status:
    """`import_errors` is None when Airflow does not answer."""

    mode: str
    healthy: bool
    parts: list[Part]
    airflow_url: str
    airflow_password: str = field(repr=False)
    postgres: str
    dbt_cloud: DbtCloudFacts
    import_errors: list[str] | None
    versions: dict[str, str]
    full_disks: list[str]
    airflow_username: str = "admin"

    def as_json(self) -> dict[str, Any]:
        whole = asdict(self)
        whole["dbt_cloud"]["kind"] = self.dbt_cloud.kind
        return whole


def gather(mode: Mode) -> Status:
    """Ask everybody at once: who does not answer in time is left out, and holds nobody up."""
    settings = mode.settings
    api = AirflowApi(
        settings.airflow_url, "admin", settings.admin_password, seconds=SOCKETS_GIVE_UP
    )
    connection = read_connection(settings)
    account = dbt_cloud_api(connection, settings)
    unknown = DbtCloudFacts(
        settings.is_local, f"https://{account.host}", account.account_id, connection.job_id
    )
    full = [disk.words for disk in full_disks(settings.folders)]
    asked = begin(lambda: look_at_parts(mode))
    dbt_cloud = begin(lambda: ask_dbt_cloud(account, unknown))
    errors, versions = begin(lambda: _import_errors(api)), begin(lambda: _versions(api))
    deadline = Deadline(SECONDS_TO_ANSWER)
    late = replace(unknown, problem="it does not answer")
    parts = asked.result()
    # Nobody waits for one who is known to be unable to answer.
    unwell = {part.name for part in parts if not part.is_healthy}
    airflows = Deadline(0) if {API_SERVER, DATABASE} & unwell else deadline
    dbt_clouds = Deadline(0) if settings.is_local and LOCAL_DBT_CLOUD in unwell else deadline
    return Status(
        mode=mode.name,
        healthy=bool(parts) and all(part.is_healthy for part in parts) and not full,
        parts=parts,
        airflow_url=settings.airflow_url,
        airflow_password=settings.admin_password,
        postgres=f"127.0.0.1:{settings.postgres_port}",
        dbt_cloud=dbt_clouds.answer_or(dbt_cloud, late),
        import_errors=airflows.answer_or(errors, None),
        versions=airflows.answer_or(versions, _locked_dbt()),
        full_disks=full,
    )


def _import_errors(api: AirflowApi) -> list[str] | None:
    try:
        errors = api.get("/api/v2/importErrors", limit=100)["import_errors"]
    except UserError:
        return None
    return [one_line(each["filename"]) for each in errors]


def _versions(api: AirflowApi) -> dict[str, str]:
    versions = _locked_dbt()
    try:
        versions["Airflow"] = api.get_public("/api/v2/version")["version"]
        providers = api.get("/api/v2/providers", limit=200)["providers"]
    except UserError:
        return versions
    found = {each["package_name"]: each["version"] for each in providers}
    versions["dbt Cloud provider"] = found.get(PROVIDER, "not installed")
    return versions


def _locked_dbt() -> dict[str, str]:
    return {"dbt Core": " or ".join(sorted(locked_versions("dbt").get("dbt-core", ())))}


def ask_dbt_cloud(api: DbtCloudApi, unknown: DbtCloudFacts) -> DbtCloudFacts:
    job = begin(lambda: api.job(unknown.job_id))
    try:
        return _named(unknown, api, api.account(), job.result())
    except UserError as silent:
        return replace(unknown, problem=f"{silent.problem} ({silent.cause.rstrip('.')})")


def _named(
    facts: DbtCloudFacts, api: DbtCloudApi, account: dict[str, Any], job: dict[str, Any]
) -> DbtCloudFacts:
    page = Address(api.host, api.account_id, job["project_id"], facts.job_id)
    last = job.get("most_recent_run")
    return replace(
        facts,
        account_name=str(account["name"]),
        job_name=str(job["name"]),
        job_url=page.job_url(),
        last_run=last and {key: last[key] for key in OF_A_RUN},
    )
