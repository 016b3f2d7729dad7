"""Every secret that this clone knows of, so that it can be looked for everywhere."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

from dbt_cloud_api.dotenv_file import ENCODING
from dbt_cloud_api.notification_urls import SETTING, addresses, secret_parts
from local_airflow.base.folders import ROOT, dotenv_path, state_folders
from local_airflow.bundle.lookalikes import is_secret_name
from local_airflow.stack.generated_secrets import Secrets


LOGIN = re.compile(r"[A-Za-z][\w+.-]*://([^\s/@:]*):?([^\s'\"]*)@")


def find_known(secrets: Secrets | None) -> set[str]:
    """Collect the secrets of the running stack, of `.local/`, of `.env` and of the shell."""
    found = set(asdict(secrets).values()) if secrets else set()
    found |= set(_files())
    found |= set(_of(read_raw_settings()))
    found |= set(_of(os.environ))
    # The examples in its comments are copied into every .env, and are words of every text.
    found -= set(_of(read_raw_settings(ROOT / ".env.example")))
    return {each for each in found if each}


def _files() -> Iterator[str]:
    for file in state_folders().secrets.glob("*"):
        if file.is_file():
            yield file.read_text(encoding="utf-8", errors="replace").strip()


def read_raw_settings(file: Path | None = None) -> dict[str, str]:
    """Read `.env` also where it is broken: a secret in a broken line is one too."""
    try:
        lines = (file or dotenv_path()).read_text(encoding=ENCODING, errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines)
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs if value}


def _of(settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in settings.items():
        if is_secret_name(name):
            yield value
        for user, password in LOGIN.findall(value):
            # An address with one word before the @ has a token there.
            secret = password or user
            yield from (secret, unquote(secret))
        # Also in a comment: an address that is switched off is still somebody's.
        if SETTING in name:
            for address in addresses(value):
                yield from secret_parts(address)
