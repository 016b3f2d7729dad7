"""
From the Python that everybody has to one that has what a command needs.

The launcher itself is the standard library: it must run before anything is installed. What people
look at goes on in `.local/tools`, where rich is, and jobs as code in `.local/jobs-as-code`.
"""

import os
import sys
from typing import NoReturn

from local_airflow.base.folders import LOCAL
from local_airflow.base.install import install, is_installed
from local_airflow.base.shell_variables import of_shell


HANDED_OVER = "LOCAL_AIRFLOW_HANDED_OVER"


def exec_for_tests(program: list[str]) -> NoReturn:
    """Run a program, by its path or from PATH, with what of the shell the tests get."""
    sys.stdout.flush()
    os.execvpe(program[0], program, of_shell("tests"))  # noqa: S606 # as below


def exec_in_environment(environment: str, arguments: list[str], *, install_first: bool) -> None:
    """
    Run the same command in another environment; returns only when that is not to be.

    Without `install_first` an environment that is not there is done without.
    """
    if os.environ.get(HANDED_OVER) == environment:
        return
    if install_first:
        install((environment,))
    elif not is_installed(environment):
        return
    python = str(LOCAL / environment / "bin" / "python")
    sys.stdout.flush()
    os.execve(  # noqa: S606 # a list, and no shell
        python,
        [python, "-m", "local_airflow", *arguments],
        {**os.environ, HANDED_OVER: environment},
    )
