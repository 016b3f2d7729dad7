"""What can be said to `make`, and what a shell happens to have."""

import os
import re
import subprocess

import pytest
from repository_copy import ROOT


SAID = re.search(r"^SAID := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
VARIABLES = SAID.replace("\\", "").split()
# What each is said to, as the list that `make` prints has it.
USED_BY = {
    "AIRFLOW": "upgrade-test", "CHECK": "jobs-plan", "DAG": "run", "DB": "psql",
    "DEBUG": "dag-test", "EXECUTOR": "up", "F": "logs", "FORMAT": "status",
    "FULL": "test-faults", "MONTH": "load-flights", "NAME": "snapshot", "PORT": "docs-serve",
    "S": "restart", "SAMPLE": "test-faults", "SECONDS": "wait-ready", "TESTS": "test",
    "WHAT": "open", "WORKERS": "up",
}  # fmt: skip
# They reach the command through the process environment: a job's name may have quotes.
THROUGH_THE_ENVIRONMENT = {"ENVIRONMENT", "JOB", "OWNER", "PROJECT", "SCHEDULE"}
WORD = "said-by-somebody"


def shown(*arguments, **process_env):
    """What make would run."""
    return subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **process_env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_every_variable_is_looked_at_here():
    """None was added to the Makefile and forgotten below."""
    assert set(VARIABLES) == {*USED_BY, *THROUGH_THE_ENVIRONMENT}


@pytest.mark.parametrize(("name", "target"), USED_BY.items())
def test_counts_only_as_it_is_said(name, target):
    """`make run DAG=mine` counts; a DAG that the shell has does nothing."""
    assert shown(target, f"{name}={WORD}") != shown(target)
    assert shown(target, **{name: WORD}) == shown(target)


@pytest.mark.parametrize("name", ["PYTHONWARNINGS", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"])
def test_what_a_shell_says_to_its_python_is_not_passed(name):
    """The launcher runs as it would in an empty shell; PYTHON alone says which it is."""
    printed = subprocess.run(
        ["make", "status"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHON": "printenv; true", name: WORD},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert f"{name}=" not in printed
    assert "PYTHONPATH=" in printed


@pytest.mark.parametrize("name", sorted(THROUGH_THE_ENVIRONMENT))
def test_does_not_pass_through(name, tmp_path):
    """What the shell has is taken out of the environment of the command."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"include {ROOT}/Makefile\nshow-it:\n\t@printenv {name} || true\n")
    ask = ["make", "--silent", "--directory", str(ROOT), "--file", str(makefile), "show-it"]
    env = {"PATH": os.environ["PATH"]}

    def printed(*said, **more):
        return subprocess.run(
            [*ask, *said], env={**env, **more}, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert printed(f"{name}={WORD}") == WORD
    assert printed(**{name: WORD}) == ""
