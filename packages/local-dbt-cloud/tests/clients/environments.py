"""Builds the environment of a client under `.local/clients/`, with a Python that it accepts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clients.clients import CLIENTS, Client

from dbt_cloud_api.user_error import UserError
from local_airflow.base.install import (
    LOCK_OPTIONS,
    Environment,
    find_uv,
    install_environments,
    run_uv,
)


def install_client(client: Client) -> Environment:
    """Raise `UserError` when the client cannot be installed here."""
    environment = Environment(
        f"clients/{client.title}", client.lock, python=choose_python(client), compiled=False
    )
    try:
        install_environments([environment])
    except UserError as error:
        raise UserError(
            f"the client {client.title} cannot be installed: {error.problem}",
            error.cause,
            (
                f"It needs a Python from {client.python} on and below {client.python_below}.",
                "If the network or a proxy is the reason, put that right.",
                "Then:   make test-clients",
            ),
        ) from None
    return environment


def lock_clients() -> None:
    """Write requirements/<client>.lock anew from requirements/<client>.in."""
    for client in CLIENTS:
        options = [*LOCK_OPTIONS, "--python-version", client.python]
        run_uv(
            [
                *(find_uv(), "pip", "compile", *options),
                *(os.path.relpath(client.requirements), "-o", os.path.relpath(client.lock)),
            ]
        )
        print(f"wrote {os.path.relpath(client.lock)}")


def choose_python(client: Client) -> str:
    """
    The one that runs the tests, where the client accepts it, or another one of this machine.

    When there is none, uv is asked for one: it may be allowed to download it.
    """
    lowest, below = (parse(version) for version in (client.python, client.python_below))
    if lowest <= sys.version_info[:2] < below:
        return sys.executable
    for candidate in candidates(lowest[1], below[1]):
        if runs(candidate):
            return candidate
    return f">={client.python},<{client.python_below}"


def parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def candidates(lowest: int, below: int) -> Iterator[str]:
    """Programs called Python 3 in the minor versions from `lowest` on, the newest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in reversed(range(lowest, below)):
        yield from filter(None, [shutil.which(f"python3.{minor}")])
        yield from map(str, sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python"), reverse=True))


def runs(python: str) -> bool:
    """Whether it is more than a name: pyenv puts names on PATH that lead nowhere."""
    command = [python, "-c", "import ssl, sqlite3, venv"]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0
