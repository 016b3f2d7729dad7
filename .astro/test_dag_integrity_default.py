"""
Every DAG file imports.

`astro dev parse` and `astro deploy` run this file inside Astro's image, and `make upgrade-test`
runs it on another version of Airflow. It takes the place of Astro's own file of this name, which
Airflow 3.3 refuses; it needs no database, no network and no `.env`.
"""

import sys
from pathlib import Path

import pytest


try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before Airflow 3.2
    from airflow.models.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[1]
DAGS = ROOT / "dags"
EXCEPTIONS = Path(__file__).with_name("dag_integrity_exceptions.txt")

# DAG files import `include`, in every image and in every mode.
sys.path.insert(0, str(ROOT))


def excused():
    """Name the files that may fail."""
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines() if EXCEPTIONS.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


FILES = sorted(str(file.relative_to(ROOT)) for file in DAGS.rglob("*.py"))


def test_there_are_dags():
    """A project whose DAGs were not found has not been tested."""
    assert DagBag(DAGS).dags


@pytest.mark.parametrize("name", [name for name in FILES if name not in excused()])
def test_imports(name):
    """The file imports."""
    errors = DagBag(ROOT / name).import_errors

    assert not errors, "\n".join(errors.values())
