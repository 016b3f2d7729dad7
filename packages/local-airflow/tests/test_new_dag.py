"""`make new-dag`: what it writes passes every check and test untouched."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from repository_copy import ROOT, copy_with_environments, launcher_path


@pytest.fixture
def clone(tmp_path):
    """A copy of this repository, with the same environments."""
    folder = copy_with_environments(tmp_path / "clone")
    # The house rules ask git which files there are.
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def run(folder, *command, **more):
    """Run a program in a folder; its process environment is that of the tests."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": launcher_path(folder), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def new_dag(folder, **variables):
    return run(folder, sys.executable, "-m", "local_airflow", "new-dag", **variables)


def check(folder, *command):
    """Run a tool that must be content."""
    done = run(folder, sys.executable, "-m", *command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_passes_every_check_and_test(clone):
    """The linters, the types, its own tests and those that every DAG owes are content with it."""
    done = new_dag(clone, NAME="nightly_flights", JOB="Build flights", SCHEDULE="0 6 * * *")
    assert done.returncode == 0, done.stderr
    written = ["dags/nightly_flights.py", "tests/test_nightly_flights.py"]

    check(clone, "ruff", "format", "--check", *written)
    check(clone, "ruff", "check", *written)
    check(clone, "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), written[0])
    tests = (written[1], "tests/policies.toml", "packages/local-airflow/tests/repository")
    check(clone, "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "## `nightly_flights`" in (clone / "docs/dags.md").read_text()


@pytest.mark.parametrize(
    ("job", "schedule"),
    [
        ("Quotes \"and\" 'more' \\ back", ""),
        ("Flüge bauen \u2013 täglich", "@daily"),
        ("Тест " + "long " * 15 + "name" * 40, "15 4 * * 1-5"),
        ('Three """ quotes {{ braces }} {% and %} more', "*/10 * * * *"),
    ],
    ids=["quotes", "umlauts", "long and Cyrillic", "template signs"],
)
def test_any_name_of_a_job(clone, job, schedule):
    """Whatever the job is called, the files are Python, in format, and name it exactly."""
    file = clone / "dbt_cloud_jobs.yml"
    content = yaml.safe_load(file.read_text())
    content["jobs"]["build_flights"]["name"] = job
    file.write_text(yaml.safe_dump(content, allow_unicode=True))
    done = new_dag(clone, NAME="strange", JOB=job, SCHEDULE=schedule)
    assert done.returncode == 0, done.stderr
    written = ["dags/strange.py", "tests/test_strange.py"]

    check(clone, "ruff", "format", "--check", *written)
    check(clone, "ruff", "check", *written)
    tree = ast.parse((clone / written[0]).read_text())
    named = [each.value for each in ast.walk(tree) if getattr(each, "arg", None) == "job_name"]
    assert [ast.literal_eval(each) for each in named] == [job]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"JOB": "Build flights"}, "NAME is not set"),
        ({"NAME": "Nightly-Flights", "JOB": "Build flights"}, "cannot name a DAG"),
        ({"NAME": "class", "JOB": "Build flights"}, "cannot name a DAG"),
        ({"NAME": "dbt_cloud_job", "JOB": "Build flights"}, "there is a DAG dbt_cloud_job already"),
        ({"NAME": "nightly", "JOB": "Build fligths"}, 'JOB="Build flights"'),
        ({"NAME": "nightly"}, "JOB is not set"),
        ({"NAME": "nightly", "JOB": "Build flights", "SCHEDULE": "daily"}, "is no schedule"),
    ],
)
def test_refusals(variables, words):
    """What cannot be is refused before anything is written, with what to type instead."""
    before = sorted(Path(ROOT / "dags").iterdir())
    done = new_dag(ROOT, **variables)

    assert done.returncode == 1
    assert words in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(Path(ROOT / "dags").iterdir()) == before


def test_never_overwrites_a_test(clone):
    """A test of the same name stays, and then no DAG is written either."""
    (clone / "tests/test_mine.py").write_text("# mine\n")
    done = new_dag(clone, NAME="mine", JOB="Build flights")

    assert done.returncode == 1
    assert (clone / "tests/test_mine.py").read_text() == "# mine\n"
    assert not (clone / "dags/mine.py").exists()
