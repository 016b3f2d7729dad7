"""Runs dbt as dbt Cloud does: as a process, on a warehouse that holds January."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[4]
PROJECT = REPOSITORY / "dbt_project"


@dataclass(frozen=True)
class Invocation:
    """What one dbt command left behind."""

    exit_code: int
    output: str
    target: Path

    def artifact(self, name: str) -> dict:
        return json.loads((self.target / name).read_text(encoding="utf-8"))

    def statuses(self) -> Counter[str]:
        """How many nodes ended in which status."""
        return Counter(result["status"] for result in self.artifact("run_results.json")["results"])


Dbt = Callable[..., Invocation]


@pytest.fixture(scope="session")
def dbt(flights_in_warehouse, tmp_path_factory) -> Dbt:
    """Run the repository's dbt; target and logs go to a folder of the tests'."""
    folder = tmp_path_factory.mktemp("dbt")

    def run(*arguments: str, schema: str | None = "analytics") -> Invocation:
        others = {key: value for key, value in os.environ.items() if key != "DBT_SCHEMA"}
        completed = subprocess.run(
            [REPOSITORY / ".local/dbt/bin/dbt", "--no-use-colors", *arguments],
            check=False,
            cwd=PROJECT,
            env=others
            | ({"DBT_SCHEMA": schema} if schema else {})
            | flights_in_warehouse.environment()
            | {
                "DBT_PROFILES_DIR": str(PROJECT),
                "DBT_TARGET_PATH": str(folder / "target"),
                "DBT_LOG_PATH": str(folder / "logs"),
            },
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=180,
        )
        return Invocation(completed.returncode, completed.stdout, folder / "target")

    return run
