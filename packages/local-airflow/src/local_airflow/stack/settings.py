"""What `.env` and this clone decide, read once into one frozen object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dbt_cloud_api.dotenv_file import AIRFLOW_SETTING, DBT_VARIABLE, KNOWN, read_dotenv
from dbt_cloud_api.user_error import UserError
from local_airflow.base.certificates import check_certificates, extra_ca_file
from local_airflow.base.folders import ROOT, StateFolders, dotenv_path, state_folders
from local_airflow.stack.generated_secrets import Secrets, read_secrets


HIGHEST_PORT = 65535
MODES = ("", "docker", "native")
SWITCH = ("true", "false")
EXAMPLES_FOLDER = ROOT / "examples"


@dataclass(frozen=True, slots=True)
class StackSettings:
    """`dotenv` holds every known setting of `.env`, with the default for what is not set there."""

    dotenv: Mapping[str, str] = field(repr=False)
    airflow_settings: Mapping[str, str] = field(repr=False)
    folders: StateFolders
    secrets: Secrets = field(repr=False)
    airflow_port: int
    local_dbt_cloud_port: int
    postgres_port: int
    dbt_variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def state(self) -> Path:
        return self.folders.root

    @property
    def airflow_url(self) -> str:
        return f"http://localhost:{self.airflow_port}"

    @property
    def local_dbt_cloud_url(self) -> str:
        return f"https://localhost:{self.local_dbt_cloud_port}"

    @property
    def admin_password(self) -> str:
        return self.secrets.admin_password

    @property
    def tls_bundle(self) -> Path:
        """Name the file of certificates that every process of the stack trusts."""
        return self.folders.tls / "trusted.pem"

    @property
    def extra_ca_file(self) -> Path | None:
        return extra_ca_file(self.dotenv["EXTRA_CA_FILE"])

    @property
    def is_local(self) -> bool:
        """Tell whether the connection is to the local dbt Cloud: an empty token means it."""
        return not self.dotenv["DBT_CLOUD_API_TOKEN"]

    @property
    def has_examples(self) -> bool:
        """Tell whether the examples are wanted, and still there."""
        return self.dotenv["EXAMPLES"] == "true" and EXAMPLES_FOLDER.is_dir()

    def dbt_cloud_variables(self) -> dict[str, str]:
        """Give the variables from which the connections are decided."""
        dbt_cloud = {key: value for key, value in self.dotenv.items() if key[:10] == "DBT_CLOUD_"}
        dbt_cloud["WAREHOUSE_URL"] = self.dotenv["WAREHOUSE_URL"]
        if self.is_local:
            dbt_cloud["LOCAL_DBT_CLOUD_URL"] = self.local_dbt_cloud_url
            dbt_cloud["LOCAL_DBT_CLOUD_TOKEN"] = self.secrets.local_dbt_cloud_token
        return dbt_cloud

    def warehouse_environment(self) -> dict[str, str]:
        """Give the variables that say where the warehouse is, to whoever needs it."""
        return {
            "WAREHOUSE_HOST": "127.0.0.1",
            "WAREHOUSE_PORT": str(self.postgres_port),
            "WAREHOUSE_USER": "warehouse",
            "WAREHOUSE_PASSWORD": self.secrets.warehouse_password,
            "WAREHOUSE_DATABASE": "warehouse",
        }


def load_settings(secrets: Callable[[Path], Secrets] = read_secrets) -> StackSettings:
    """
    Read `.env` and the secrets of this clone; raise `UserError` for what is wrong in them.

    Secrets that are missing are made, unless `secrets` is `peek_secrets`.
    """
    return make_settings(read_dotenv(dotenv_path()), secrets)


def make_settings(dotenv: Mapping[str, str], secrets: Callable[[Path], Secrets]) -> StackSettings:
    known = {key: dotenv.get(key) or default for key, default in KNOWN.items()}
    check_mode(known["MODE"])
    check_switch("EXAMPLES", known["EXAMPLES"])
    folders = state_folders()
    ports = {key: _port(key, known[key]) for key in known if key.endswith("_PORT")}
    _check_ports_differ(ports)
    settings = StackSettings(
        dotenv=known,
        airflow_settings={
            key: value for key, value in dotenv.items() if AIRFLOW_SETTING.fullmatch(key)
        },
        folders=folders,
        secrets=secrets(folders.secrets),
        airflow_port=ports["AIRFLOW_PORT"],
        local_dbt_cloud_port=ports["LOCAL_DBT_CLOUD_PORT"],
        postgres_port=ports["POSTGRES_PORT"],
        dbt_variables={key: value for key, value in dotenv.items() if DBT_VARIABLE.fullmatch(key)},
    )
    if settings.extra_ca_file:
        check_certificates(settings.extra_ca_file)
    return settings


def check_mode(mode: str) -> None:
    if mode in MODES:
        return
    raise UserError(
        f"MODE={mode} is not there",
        "It names a way to run; there are docker and native.",
        ("In .env:   MODE=native", "or leave it empty, and make up chooses"),
    )


def check_switch(name: str, value: str) -> None:
    if value not in SWITCH:
        raise UserError(
            f"{name}={value} is neither true nor false",
            "It is a switch.",
            (f"In .env:   {name}=true   or   {name}=false",),
        )


def _port(name: str, value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value) <= HIGHEST_PORT:
        return int(value)
    raise UserError(
        f"{name}={value} is not a port",
        f"A port is a whole number from 1 to {HIGHEST_PORT}.",
        (f"In .env:   {name}={KNOWN[name]}",),
    )


def _check_ports_differ(ports: Mapping[str, int]) -> None:
    for name, port in ports.items():
        same = [other for other in ports if ports[other] == port]
        if len(same) > 1:
            raise UserError(
                f"{' and '.join(same)} are both {port}",
                "Each part listens on a port of its own.",
                (f"Change one of them in .env, for example:   {name}={port + 1}",),
            )
