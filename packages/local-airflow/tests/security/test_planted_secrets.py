"""What is secret is where it was put, and nowhere else: no file, log, table, page or archive."""

import base64
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from security.planted import PLANTED, Searched


# Where secrets are by design, for their owner only: docs/security.md lists them.
KEPT = re.compile(r"\.env|st ate/secrets/\w+|st ate/airflow_home/passwords\.json|.*/fernet_key")
# How to log in, which is what they are there to say.
SAYS_PASSWORD = {"make up", "make status"}
# It runs the task in your terminal, which shows what the task prints.
IN_YOUR_TERMINAL = {"make dag-test talkative"}


@pytest.fixture(scope="session")
def texts(searched) -> dict[str, bytes]:
    """Everything that the commands left, by where it is."""
    found = dict(files(searched))
    found |= {
        name: text.encode()
        for name, text in searched.printed.items()
        if name not in IN_YOUR_TERMINAL
    }
    found |= dict(tables(searched))
    found |= {f"process {pid}": line.encode() for pid, line in searched.stack.processes().items()}
    return found


@pytest.mark.parametrize("place", PLANTED)
def test_planted_secret_is_nowhere_else(texts, place):
    """Neither as it is nor in another writing: base64, percent signs, JSON."""
    secret = PLANTED[place]
    found = {name for name, text in texts.items() if any(form in text for form in forms(secret))}

    assert found == set()


def test_secrets_of_the_clone_are_nowhere_else(searched, texts):
    """What the first start has made stands in its files of mode 0600 only."""
    found = {
        name
        for secret in searched.stack.secrets()
        for name, text in texts.items()
        if any(form in text for form in forms(secret.strip()))
    }

    assert found <= SAYS_PASSWORD


def test_the_search_finds(searched, texts):
    """What is no secret is found in the places that were searched: they are not empty."""
    for place in ("scheduler.log", "make bundle", "make doctor", "airflow.connection"):
        assert any(place in name for name in texts), place
    assert "https://example.com/?token=***" in "".join(
        text.decode(errors="replace") for name, text in texts.items() if "logs/tasks" in name
    )


def forms(secret: str) -> set[bytes]:
    coded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {
        each.encode() for each in (secret, quote(secret, safe=""), coded[:-2], json.dumps(secret))
    }


def files(searched: Searched) -> Iterator[tuple[str, bytes]]:
    top = searched.stack.root.parent
    for folder, below, names in os.walk(top):
        # What is installed is a link, and nobody's but ours.
        below[:] = [name for name in below if name != ".local"]
        for file in (Path(folder) / name for name in names):
            inside = str(file.relative_to(top))
            if file.is_file() and not is_kept(inside, file):
                yield inside, file.read_bytes()
                yield from unpacked(inside, file)
    for file in searched.bundles():
        yield from unpacked(file.name, file)


def is_kept(inside: str, file: Path) -> bool:
    return bool(KEPT.fullmatch(inside)) and file.stat().st_mode & 0o077 == 0


def unpacked(inside: str, file: Path) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            yield from ((f"{inside}/{name}", archive.read(name)) for name in archive.namelist())
    elif ".tar" in file.suffixes:
        with tarfile.open(file) as archive:
            for member in filter(tarfile.TarInfo.isfile, archive.getmembers()):
                content = archive.extractfile(member)
                yield f"{inside}/{member.name}", content.read() if content else b""


def tables(searched: Searched) -> Iterator[tuple[str, bytes]]:
    password = (searched.stack.state / "secrets/postgres_password").read_text().strip()
    for database in ("airflow", "warehouse"):
        with psycopg.connect(
            host="127.0.0.1",
            port=searched.stack.ports["POSTGRES_PORT"],
            user="postgres",
            password=password,
            dbname=database,
        ) as connection:
            named = "select schemaname, tablename from pg_tables where schemaname !~ '^(pg_|info)'"
            for schema, table in connection.execute(named).fetchall():
                whole = psycopg.sql.SQL("select t::text from {} t").format(
                    psycopg.sql.Identifier(schema, table)
                )
                rows = connection.execute(whole).fetchall()
                yield f"{database}.{table}", "\n".join(row[0] for row in rows).encode()
