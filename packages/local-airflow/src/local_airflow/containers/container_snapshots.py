"""Dump and bring back the data of the container mode."""

from pathlib import Path

from local_airflow.containers.compose import Compose
from local_airflow.stack.generated_secrets import DATABASES


STATE_IN_CONTAINER = "/var/lib/local_dbt_cloud"
ARCHIVE = "local_airflow.base.state_archive"


def dump_database(compose: Compose, database: str, file: Path) -> None:
    dump = ["pg_dump", "--format=custom", f"--username={database}", database]
    with file.open("wb") as stream:
        compose.pipe("exec", "--no-TTY", "postgres", *dump, stdout=stream)


def archive_state(compose: Compose, file: Path) -> None:
    with file.open("wb") as stream:
        compose.pipe(*_beside_the_state("write"), stdout=stream)


def bring_back(compose: Compose, folder: Path) -> None:
    """Replace everything, while nothing but PostgreSQL runs."""
    compose.ask("down", "--remove-orphans")
    compose.ask("up", "--detach", "--wait", "--no-build", "postgres")
    compose.ask("cp", str(folder / "fernet_key"), "secrets:/run/secrets/clone/fernet_key")
    for name in DATABASES:
        dump = folder / f"{name}.dump"
        inside = ["exec", "--no-TTY", "postgres"]
        compose.ask(*inside, "dropdb", "--username=postgres", "--if-exists", "--force", name)
        compose.ask(*inside, "createdb", "--username=postgres", f"--owner={name}", name)
        restore = ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={name}"]
        with dump.open("rb") as stream:
            compose.pipe(*inside, *restore, f"--username={name}", stdin=stream)
    if (folder / "dbt_cloud.tar").exists():
        with (folder / "dbt_cloud.tar").open("rb") as stream:
            compose.pipe(*_beside_the_state("read"), stdin=stream)


def _beside_the_state(what: str) -> list[str]:
    alone = ["run", "--rm", "--no-deps", "--no-TTY", "local-dbt-cloud"]
    return [*alone, "python", "-m", ARCHIVE, what, STATE_IN_CONTAINER]
