"""
Fixtures for tests of DAGs, and the tests that `policies.toml` stands for.

Loaded with `-p`, before any conftest.py: Airflow reads its settings when it is first imported, and
a test must never migrate or fill the database of whoever runs it.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_dbt_cloud.testing.dag_runs import Ended

POLICIES_FILE = "policies.toml"
SECONDS_TO_START_BY_HAND = 120
SECONDS_BETWEEN_LOOKS = 0.05


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Give the tests an Airflow home of their own, which lives as long as they do."""
    home = Path(tempfile.mkdtemp(prefix="airflow-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        # Without a key, Airflow would keep tokens as they are, and no test could see it.
        "AIRFLOW__CORE__FERNET_KEY": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(early_config.rootpath / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(early_config.rootpath / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    for name in [name for name in os.environ if name.startswith("DBT_CLOUD_")]:
        del os.environ[name]
    # The tests start many short processes; without byte code each compiles Airflow or dbt anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take `policies.toml` for what it is: a file of tests, one for each policy."""
    if file_path.name != POLICIES_FILE:
        return None
    # It imports Airflow, which must not happen before its home is known.
    from airflow_dbt_cloud.testing.policies_file import PoliciesFile  # noqa: PLC0415

    return PoliciesFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def airflow_database(pytestconfig: pytest.Config) -> Path:
    """The tests' own Airflow home, its SQLite database migrated."""
    home = Path(os.environ["AIRFLOW_HOME"])
    database, template = home / "airflow.db", migrated_before(pytestconfig)
    if not template.exists():
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL, timeout=240)
        # Under its name at once, or another process of these tests would copy a half of it.
        unfinished = template.with_suffix(f".{os.getpid()}")
        shutil.copy(database, unfinished)
        unfinished.replace(template)
    shutil.copy(template, database)
    return home


def migrated_before(config: pytest.Config) -> Path:
    """Where the empty database of this Airflow is kept: a migration takes seconds each time."""
    # Absent where somebody runs with `-p no:cacheprovider`.
    cache: pytest.Cache | None = getattr(config, "cache", None)
    folder = cache.mkdir("airflow-database") if cache else Path(os.environ["AIRFLOW_HOME"])
    return folder / f"{version('apache-airflow')}.db"


@pytest.fixture(scope="session")
def dags_folder(pytestconfig: pytest.Config) -> Path:
    """Where `load_dag` and `run_dag` look; override it for another folder."""
    return pytestconfig.rootpath / "dags"


@pytest.fixture
def load_dag(dags_folder: Path) -> Callable[[str], "DAG"]:
    """Read one file of the folder, as Airflow does."""
    from airflow_dbt_cloud.testing.dag_runs import read_dag  # noqa: PLC0415 # it imports Airflow

    return lambda dag_id: read_dag(dags_folder, dag_id)


@pytest.fixture
def run_to_its_end(
    airflow_database: Path,  # noqa: ARG001 # it must be there
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., "Ended"]:
    """Run a DAG that is loaded already; what is given by name is what the form would send."""
    from airflow_dbt_cloud.testing.dag_runs import run_to_its_end  # noqa: PLC0415 # as above
    from airflow_dbt_cloud.waiting import pacing  # noqa: PLC0415 # as above

    # A simulated run ends at once: half a second between two looks is most of a test's time.
    monkeypatch.setattr(pacing, "SHORTEST", SECONDS_BETWEEN_LOOKS)

    def run(dag: "DAG", **form: Any) -> "Ended":
        # `dag.test()` first reads the whole bundle that the DAG is of: here, the one file.
        bundle = bundle_of(Path(dag.fileloc))
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundle)
        return run_to_its_end(dag, **form)

    return run


def bundle_of(file: Path) -> str:
    """Name one file of DAGs, as Airflow's setting wants it."""
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return json.dumps([{"name": file.stem, "classpath": kind, "kwargs": {"path": str(file)}}])


@pytest.fixture
def run_dag(
    load_dag: Callable[[str], "DAG"], run_to_its_end: Callable[..., "Ended"]
) -> Callable[..., "Ended"]:
    """Run the DAG of this name with `dag.test()`, and give what became of it."""
    return lambda dag_id, **form: run_to_its_end(load_dag(dag_id), **form)


@pytest.fixture
def start_by_hand(dbt_cloud: Any) -> Callable[..., int]:
    """Start a run as a person would, in dbt Cloud; give its number once it has ended."""
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook  # noqa: PLC0415 # as above

    def start(job_name: str, *, wait: bool = True) -> int:
        answer = DbtCloudHook().trigger_job_run(dbt_cloud.jobs[job_name], cause="by hand")
        run_id = int(answer.json()["data"]["id"])
        deadline = time.monotonic() + SECONDS_TO_START_BY_HAND
        while wait and dbt_cloud.runs[-1].status not in {"success", "error", "cancelled"}:
            if time.monotonic() > deadline:
                pytest.fail(f"run {run_id} has not ended after {SECONDS_TO_START_BY_HAND} s")
            time.sleep(0.02)
        return run_id

    return start
