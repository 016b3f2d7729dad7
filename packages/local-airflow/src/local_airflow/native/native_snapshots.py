"""Dump and bring back the data of the native mode."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT
from local_airflow.base.shell_variables import of_shell
from local_airflow.base.state_archive import read_archive, write_archive
from local_airflow.native import postgres
from local_airflow.native.postgres_answers import Recovery, until_it_answers
from local_airflow.native.process_table import base_environment
from local_airflow.stack.generated_secrets import DATABASES
from local_airflow.stack.settings import StackSettings


SECONDS_TO_STOP = 30
SECONDS_BETWEEN_LOOKS = 0.1


def dump_database(settings: StackSettings, database: str, file: Path) -> None:
    address = [f"--username={database}", f"--dbname={database}"]
    _run(
        settings,
        settings.secrets.database_passwords[database],
        "pg_dump",
        "--format=custom",
        f"--file={file}",
        *address,
    )


def archive_state(settings: StackSettings, file: Path) -> None:
    with file.open("wb") as stream:
        write_archive(settings.folders.dbt_cloud, stream)


def bring_back(settings: StackSettings, folder: Path) -> None:
    """Replace everything, while nothing but PostgreSQL runs."""
    key = settings.folders.secrets / "fernet_key"
    key.write_text((folder / "fernet_key").read_text(encoding="ascii"), encoding="ascii")
    superuser = settings.secrets.postgres_password
    with _postgres_alone(settings):
        for name in DATABASES:
            dump = folder / f"{name}.dump"
            as_superuser = "--username=postgres"
            _run(settings, superuser, "dropdb", as_superuser, "--if-exists", "--force", name)
            _run(settings, superuser, "createdb", as_superuser, f"--owner={name}", name)
            _run(
                settings,
                settings.secrets.database_passwords[name],
                "pg_restore",
                "--no-owner",
                f"--username={name}",
                f"--dbname={name}",
                "--exit-on-error",
                str(dump),
            )
    if (folder / "dbt_cloud.tar").exists():
        with (folder / "dbt_cloud.tar").open("rb") as stream:
            read_archive(settings.folders.dbt_cloud, stream)


@contextlib.contextmanager
def _postgres_alone(settings: StackSettings) -> Iterator[None]:
    settings.folders.create()
    postgres.create_cluster(settings)
    server = subprocess.Popen(
        postgres.command(settings),
        cwd=ROOT,
        env=base_environment(settings, "PostgreSQL"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        recovery = Recovery(settings.folders.postgres)
        for _ in until_it_answers(settings.postgres_port, recovery, lambda: server.pid):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        own = postgres.own_server(settings)
        postgres.create_databases(own, settings.secrets.database_passwords)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=SECONDS_TO_STOP)


def _run(settings: StackSettings, password: str, program: str, *arguments: str) -> None:
    address = ["--host=127.0.0.1", f"--port={settings.postgres_port}"]
    done = subprocess.run(
        [str(postgres.programs() / program), *address, *arguments],
        env={**of_shell("PostgreSQL"), "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(
            f"{program} failed",
            done.stderr.strip()[-600:] or "It said nothing.",
            ("make logs S=postgres",),
        )
