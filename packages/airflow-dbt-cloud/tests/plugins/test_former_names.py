"""What Airflow's database knows by the path that it had is found at the path that it has."""

import os
import subprocess
import sys

import pytest


OLD, NEW = "include.dbt_cloud", "airflow_dbt_cloud"
MOVED = {
    f"{OLD}.trigger.DbtCloudRunTrigger": f"{NEW}.waiting.trigger",
    f"{OLD}.job_watch.DbtCloudJobWatchTrigger": f"{NEW}.watching.job_watch",
    f"{OLD}.own_job_watch.OwnJobWatchTrigger": f"{NEW}.watching.own_job_watch",
}


def in_airflow(folder, program):
    """Run a program as Airflow's triggerer runs: with the folder on its path, plugins loaded."""
    loaded = "from airflow import plugins_manager as p; p.ensure_plugins_loaded()\n"
    done = subprocess.run(
        [sys.executable, "-c", loaded + program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(params=["no include", "an empty include", "an include of yours"])
def repository(request, tmp_path):
    """A folder of DAGs in which nothing of ours is left."""
    if request.param != "no include":
        (tmp_path / "include").mkdir()
    if request.param == "an include of yours":
        (tmp_path / "include/__init__.py").touch()
        (tmp_path / "include/mine.py").write_text("WORDS = 'still mine'\n")
    return tmp_path


def test_triggers_are_found(repository):
    """The class at each old path is the very class of today, whatever is in include/."""
    program = (
        "from importlib import import_module\n"
        "from airflow.sdk.module_loading import import_string\n"
        f"for path, today in {MOVED!r}.items():\n"
        "    name = path.rpartition('.')[2]\n"
        "    assert import_string(path) is getattr(import_module(today), name), path\n"
        "print('all are')"
    )

    assert in_airflow(repository, program) == "all are"


def test_your_own_modules_come_first(tmp_path):
    """What you have in include/ is imported as before, and what is nowhere is not invented."""
    (tmp_path / "include/dbt_cloud").mkdir(parents=True)
    (tmp_path / "include/__init__.py").touch()
    (tmp_path / "include/dbt_cloud/__init__.py").write_text("OWN = 'yours'\n")
    program = (
        "import include.dbt_cloud\n"
        "try:\n"
        "    import include.nothing\n"
        "except ModuleNotFoundError as error:\n"
        "    print(include.dbt_cloud.OWN, error.name)"
    )

    assert in_airflow(tmp_path, program) == "yours include.nothing"
