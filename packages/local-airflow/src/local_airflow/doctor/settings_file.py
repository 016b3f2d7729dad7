""".env: is it there, can its three readers read it, does anybody read what it sets?"""

import stat
from collections.abc import Iterator
from pathlib import Path

from dbt_cloud_api.dotenv_file import (
    ENCODING,
    broken_lines,
    lines_of,
    read_dotenv,
    unknown_settings,
)
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import dotenv_path, shown
from local_airflow.base.private_file import OTHERS
from local_airflow.doctor.findings import Finding, error, from_user_error, ok, skipped, warning


def examine() -> list[Finding]:
    file = dotenv_path()
    if not file.exists():
        return [skipped(".env", "not there yet: make up copies it from .env.example")]
    try:
        content = file.read_bytes()
        settings = content.decode(ENCODING)
    except (OSError, UnicodeDecodeError) as broken:
        cause = f"Reading {shown(file)} gave: {broken}."
        return [error(".env", "cannot be read", cause, "Save it as plain UTF-8 text.")]
    found = [
        *(from_user_error(".env", wrong) for wrong in broken_lines(lines_of(settings), ".env")),
        *_line_endings(content),
        *_unknown(file),
        *_access(file, content),
    ]
    return found or [ok(".env", "every line can be read, and every setting is known")]


def _line_endings(content: bytes) -> Iterator[Finding]:
    if b"\r" in content:
        yield error(
            ".env",
            "has line endings of Windows",
            "Docker takes the invisible last character as part of every value.",
            "sed --in-place 's/\\r$//' .env",
        )


def _unknown(file: Path) -> Iterator[Finding]:
    try:
        unknown = unknown_settings(read_dotenv(file))
    except UserError:
        return
    for sentence in unknown:
        found = sentence.removeprefix("warning: .env ")
        yield warning(
            ".env", found, "A misspelt setting silently does nothing.", "docs/settings.md"
        )


def _access(file: Path, content: bytes) -> Iterator[Finding]:
    has_token = any(
        line.startswith(b"DBT_CLOUD_API_TOKEN=") and line.partition(b"=")[2].strip()
        for line in content.splitlines()
    )
    if has_token and file.stat().st_mode & OTHERS:
        yield warning(
            ".env",
            "others on this machine can read your token",
            f"Its mode is {stat.filemode(file.stat().st_mode)}.",
            "chmod 600 .env",
        )
