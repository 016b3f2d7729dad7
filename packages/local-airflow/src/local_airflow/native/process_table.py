"""Which processes the native mode has: their commands and their environments."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from dbt_cloud_api.dotenv_file import read_dotenv
from dbt_cloud_api.secret_settings import FILE_VARIABLE, SECRET_SETTINGS
from local_airflow.base.folders import LOCAL, ROOT, dotenv_path
from local_airflow.base.shell_variables import of_shell
from local_airflow.native import postgres
from local_airflow.stack.generated_secrets import Secrets
from local_airflow.stack.settings import EXAMPLES_FOLDER, StackSettings


# Marks every process of a stack, whoever started it, so that `down` ends those and no others.
MARK = "LOCAL_AIRFLOW_STATE"


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process that the supervisor starts and watches. `stop` is the gentle signal's name.

    `begins_work` tells that it takes up work as soon as it runs, so that it must not be started
    before everything is prepared for it: a start that failed would end the work halfway.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(repr=False)
    stop: str = "SIGTERM"
    begins_work: bool = False


def process_table(settings: StackSettings) -> list[Process]:
    """List the processes in the order of their start; they are stopped the other way round."""
    database = Process(
        # To SIGTERM it would wait for everybody to leave, and let nobody in meanwhile.
        "postgres",
        postgres.command(settings),
        base_environment(settings, "PostgreSQL"),
        stop="SIGINT",
    )
    dbt_cloud = Process(
        "local-dbt-cloud",
        [str(python("local-dbt-cloud")), "-m", "local_dbt_cloud", "serve"],
        local_dbt_cloud_environment(settings),
        begins_work=True,
    )
    # It imports Airflow while the databases are prepared, and waits for that by itself.
    forks = "local_airflow.native.airflow_forks"
    airflow = Process(
        "airflow",
        [str(python("airflow")), "-m", forks, str(settings.state), str(settings.airflow_port)],
        airflow_environment(settings),
    )
    return [database, *([dbt_cloud] if settings.is_local else []), airflow]


def python(environment: str) -> Path:
    return LOCAL / environment / "bin" / "python"


def base_environment(settings: StackSettings, process: str) -> dict[str, str]:
    """Begin with what of the shell a process of this name gets."""
    begun = {MARK: str(settings.state), "PYTHONPATH": python_path(settings)}
    return {**of_shell(process), **begun}


def python_path(settings: StackSettings) -> str:
    """Let `include` be imported; and with the examples, Airflow find their plugins."""
    plugins = [str(EXAMPLES_FOLDER / "plugins")] if settings.has_examples else []
    return os.pathsep.join([str(ROOT), *plugins])


def dag_bundles(settings: StackSettings) -> str:
    """Name the folders of DAGs, as Airflow's setting wants them: yours, and the examples."""
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    yours = {"name": "dags-folder", "classpath": kind, "kwargs": {}}
    examples = {
        "name": EXAMPLES_FOLDER.name,
        "classpath": kind,
        "kwargs": {"path": str(EXAMPLES_FOLDER / "dags")},
    }
    return json.dumps([yours, *([examples] if settings.has_examples else [])])


def local_dbt_cloud_environment(settings: StackSettings) -> dict[str, str]:
    # Its git, its uv and the dbt of its runs fetch what a project names.
    is_told = settings.extra_ca_file or os.environ.get("GIT_SSL_CAINFO")
    git = {"GIT_SSL_CAINFO": str(settings.tls_bundle)} if is_told else {}
    return {
        **base_environment(settings, "local dbt Cloud"),
        **settings.dbt_variables,
        **settings.warehouse_environment(),
        "LOCAL_DBT_CLOUD_PORT": str(settings.local_dbt_cloud_port),
        "LOCAL_DBT_CLOUD_URL": settings.local_dbt_cloud_url,
        "LOCAL_DBT_CLOUD_AIRFLOW_URL": settings.airflow_url,
        "LOCAL_DBT_CLOUD_STATE": str(settings.folders.dbt_cloud),
        "LOCAL_DBT_CLOUD_TLS": str(settings.folders.tls),
        "LOCAL_DBT_CLOUD_TOKEN": settings.secrets.local_dbt_cloud_token,
        "LOCAL_DBT_CLOUD_DBT": str(LOCAL / "dbt" / "bin" / "dbt"),
        "LOCAL_DBT_CLOUD_JOBS": str(ROOT / "dbt_cloud_jobs.yml"),
        "REQUESTS_CA_BUNDLE": str(settings.tls_bundle),
        "SSL_CERT_FILE": str(settings.tls_bundle),
        **git,
    }


def loader_environment(settings: StackSettings) -> dict[str, str]:
    return {**base_environment(settings, "loader"), **settings.warehouse_environment()}


def airflow_environment(settings: StackSettings) -> dict[str, str]:
    """
    Build the environment in layers: what the mode suggests, `.env`, what the mode must have.

    A user's AIRFLOW__… setting wins over the suggestions, never over ports, secrets, database.
    """
    return {
        **base_environment(settings, "Airflow"),
        **SUGGESTED,
        **settings.airflow_settings,
        **_connection_variables(settings),
        **task_environment(settings),
        **_must_have(settings),
    }


def _connection_variables(settings: StackSettings) -> dict[str, str]:
    """Say what Airflow's connections are made of; what of it opens something stays in `.env`."""
    variables = settings.dbt_cloud_variables()
    told = {name: value for name, value in variables.items() if name not in SECRET_SETTINGS}
    return {**told, FILE_VARIABLE: str(dotenv_path())}


def task_environment(settings: StackSettings) -> dict[str, str]:
    """Say where in this mode is what the examples work with; docs/settings.md lists the names."""
    if not settings.has_examples:
        return {}
    return {
        # Otherwise it is in /tmp, where two clones would share it.
        "AIRFLOW__COSMOS__CACHE_DIR": str(settings.folders.airflow_home / "cosmos"),
        "AIRFLOW_VAR_FLIGHTS_SOURCE": (EXAMPLES_FOLDER / "loader/data").as_uri(),
        "AIRFLOW_VAR_TRAINING_PYTHON": str(python("training")),
        "DBT_EXECUTABLE": str(LOCAL / "dbt" / "bin" / "dbt"),
    }


# Compose reads the same file.
SUGGESTED = read_dotenv(Path(__file__).with_name("suggested.env"))


def _must_have(settings: StackSettings) -> dict[str, str]:
    url = f"http://127.0.0.1:{settings.airflow_port}"
    home = settings.folders.airflow_home
    return {
        **airflow_secrets(settings.secrets, f"127.0.0.1:{settings.postgres_port}"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": settings.airflow_url,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": dag_bundles(settings),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__MP_START_METHOD": "fork",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.folders.logs / "tasks"),
        # requests obeys the first, aiohttp in the triggerer the second, curl in a task the third.
        "REQUESTS_CA_BUNDLE": str(settings.tls_bundle),
        "SSL_CERT_FILE": str(settings.tls_bundle),
        "CURL_CA_BUNDLE": str(settings.tls_bundle),
    }


def airflow_secrets(secrets: Secrets, postgres_at: str) -> dict[str, str]:
    """Give what all components must share and nobody else may know."""
    database = f"postgresql+psycopg2://airflow:{secrets.airflow_database_password}@{postgres_at}"
    return {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{database}/airflow",
        "LOCAL_WAREHOUSE_URL": (
            f"postgresql://warehouse:{secrets.warehouse_password}@{postgres_at}/warehouse"
        ),
    }


def write_passwords(settings: StackSettings) -> None:
    """Airflow's simple login reads the password from a file, which must be there before."""
    file = settings.folders.airflow_home / "passwords.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"admin": settings.admin_password}), encoding="ascii")
