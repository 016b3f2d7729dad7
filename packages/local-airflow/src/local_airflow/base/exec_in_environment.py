"""
From the Python that everybody has to one that has what a command needs.

The launcher itself is the standard library: it must run before anything is installed. What people
look at goes on in `.local/tools`, where rich is, and jobs as code in `.local/jobs-as-code`.
"""

import os
import sys

from local_airflow.base.folders import LOCAL
from local_airflow.base.install import install, is_installed


HANDED_OVER = "LOCAL_AIRFLOW_HANDED_OVER"


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
