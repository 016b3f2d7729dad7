"""Runs the loader as its users do: as a process."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[3]
Ingestion = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def ingestion() -> Ingestion:
    """Run `python -m examples.loader` with the given warehouse's variables and nobody else's."""

    def run(*arguments: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        others = {k: v for k, v in os.environ.items() if not k.startswith("WAREHOUSE_")}
        return subprocess.run(
            [REPOSITORY / ".local/postgres/bin/python", "-m", "examples.loader", *arguments],
            capture_output=True,
            check=False,
            cwd=REPOSITORY,
            env=others | variables,
            text=True,
            timeout=120,
        )

    return run
