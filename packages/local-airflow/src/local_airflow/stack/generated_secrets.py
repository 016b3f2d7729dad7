"""
Secrets of this clone: made once, kept in files that only their owner may read.

They reach processes through the process environment or such a file, never as an argument: every
user of the machine can read arguments.
"""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path


# Each has a role of its name, which owns it.
DATABASES = ("airflow", "warehouse")


def _fernet_key() -> str:
    # Fernet wants 32 bytes in base64 with its padding, which `token_urlsafe` leaves out.
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _long() -> str:
    # Airflow signs its tokens with HS512, which wants at least 64 bytes.
    return secrets.token_urlsafe(64)


def _password() -> str:
    # Typed by people: letters and digits only, 95 bits.
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(19))


def _token() -> str:
    return f"dbtc_local_{secrets.token_urlsafe(24)}"


def _made_by(make: Callable[[], str]) -> str:
    made: str = field(repr=False, metadata={"make": make})
    return made


@dataclass(frozen=True)
class Secrets:
    fernet_key: str = _made_by(_fernet_key)
    jwt_secret: str = _made_by(_long)
    api_secret_key: str = _made_by(_long)
    admin_password: str = _made_by(_password)
    postgres_password: str = _made_by(_long)
    airflow_database_password: str = _made_by(_long)
    warehouse_password: str = _made_by(_long)
    valkey_password: str = _made_by(_long)
    local_dbt_cloud_token: str = _made_by(_token)

    @property
    def database_passwords(self) -> dict[str, str]:
        """Map each database to the password of its owner, who has its name."""
        passwords = (self.airflow_database_password, self.warehouse_password)
        return dict(zip(DATABASES, passwords, strict=True))


def read_secrets(folder: Path) -> Secrets:
    """Read the secrets, and make those that are missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Secrets(
        **{each.name: _read(folder / each.name, each.metadata["make"]) for each in fields(Secrets)}
    )


def peek_secrets(folder: Path) -> Secrets:
    """Read the secrets that are there and make none: empty where there is none yet."""

    def peek(file: Path) -> str:
        return file.read_text(encoding="ascii").strip() if file.is_file() else ""

    return Secrets(**{each.name: peek(folder / each.name) for each in fields(Secrets)})


def _read(file: Path, make: Callable[[], str]) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return _write_once(file, make())


def _write_once(file: Path, value: str) -> str:
    """Write a secret whole or not at all: half a key would lock everything that it encrypted."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(value)
    try:
        # Fails when another start was quicker; then its value is the one that counts.
        os.link(unfinished, file)
    except FileExistsError:
        return file.read_text(encoding="ascii").strip()
    finally:
        unfinished.unlink()
    return value
