"""Ask the stack, Airflow and dbt Cloud what there is to say. Changes nothing."""

from concurrent.futures import ThreadPoolExecutor
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
from local_airflow.stack.readiness import components_healthy, local_dbt_cloud_healthy
from local_airflow.stack.settings import StackSettings


SECONDS_TO_ASK = 10
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
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=SECONDS_TO_ASK)
    parts = mode.parts()
    full = [disk.words for disk in full_disks(settings.folders)]
    with ThreadPoolExecutor() as pool:
        dbt_cloud = pool.submit(ask_dbt_cloud, settings)
        healthy = pool.submit(is_healthy, mode, api)
        errors, versions = pool.submit(_import_errors, api), pool.submit(_versions, api)
    return Status(
        mode=mode.name,
        healthy=healthy.result() and all(part.is_healthy for part in parts) and not full,
        parts=parts,
        airflow_url=settings.airflow_url,
        airflow_password=settings.admin_password,
        postgres=f"127.0.0.1:{settings.postgres_port}",
        dbt_cloud=dbt_cloud.result(),
        import_errors=errors.result(),
        versions=versions.result(),
        full_disks=full,
    )


def is_healthy(mode: Mode, api: AirflowApi) -> bool:
    try:
        local = local_dbt_cloud_healthy(mode) if mode.settings.is_local else True
        return local and components_healthy(api)
    except (UserError, OSError):
        return False


def _import_errors(api: AirflowApi) -> list[str] | None:
    try:
        errors = api.get("/api/v2/importErrors", limit=100)["import_errors"]
    except UserError:
        return None
    return [one_line(each["filename"]) for each in errors]


def _versions(api: AirflowApi) -> dict[str, str]:
    dbt = locked_versions("dbt")
    versions = {"dbt Core": " or ".join(sorted(dbt.get("dbt-core", ())))}
    try:
        versions["Airflow"] = api.get_public("/api/v2/version")["version"]
        providers = api.get("/api/v2/providers", limit=200)["providers"]
    except UserError:
        return versions
    found = {each["package_name"]: each["version"] for each in providers}
    versions["dbt Cloud provider"] = found.get(PROVIDER, "not installed")
    return versions


def ask_dbt_cloud(settings: StackSettings) -> DbtCloudFacts:
    connection = read_connection(settings)
    api, job_id = dbt_cloud_api(connection, settings), connection.job_id
    facts = DbtCloudFacts(settings.is_local, f"https://{api.host}", api.account_id, job_id)
    try:
        return _named(facts, api)
    except UserError as silent:
        return replace(facts, problem=f"{silent.problem} ({silent.cause.rstrip('.')})")


def _named(facts: DbtCloudFacts, api: DbtCloudApi) -> DbtCloudFacts:
    account, job = api.account(), api.job(facts.job_id)
    page = Address(api.host, api.account_id, job["project_id"], facts.job_id)
    last = job.get("most_recent_run")
    return replace(
        facts,
        account_name=str(account["name"]),
        job_name=str(job["name"]),
        job_url=page.job_url(),
        last_run=last and {key: last[key] for key in OF_A_RUN},
    )
