"""
The clients of dbt Cloud that the local dbt Cloud is tried with, each unmodified.

One declaration for everybody: which environments are built, which checks run in them, and what
docs/clients.md says.
"""

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Client:
    """
    A package from PyPI and how it is used.

    Its checks are the test functions in `checks/<name with underscores>/*.py`. It needs a Python
    from `python` on and below `python_below`. `plugins` are modules of `in_client/` that its checks
    need besides.
    """

    package: str
    how: str
    name: str = ""
    python: str = "3.11"
    python_below: str = "3.14"
    plugins: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.name or self.package

    @property
    def requirements(self) -> Path:
        return FOLDER / "requirements" / f"{self.title}.in"

    @property
    def lock(self) -> Path:
        return self.requirements.with_suffix(".lock")

    @property
    def version(self) -> str:
        """The version that the lock file names."""
        found = re.search(rf"^{self.package}==(\S+)", self.lock.read_text(), re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.lock} does not name {self.package}")
        return found[1]

    @property
    def check_files(self) -> list[Path]:
        return sorted((FOLDER / "checks" / self.title.replace("-", "_")).glob("*.py"))

    @cached_property
    def checks(self) -> dict[str, str]:
        """What each check states, by its name as in `reading.test_jobs`."""
        return {
            f"{path.stem}.{name}": statement
            for path in self.check_files
            for name, statement in read_checks(path).items()
        }


def read_checks(path: Path) -> dict[str, str]:
    """The docstrings of a file's checks, without importing what only the client has."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    nodes = [node for body in (module, *classes) for node in body.body]
    found: dict[str, str] = {}
    for node in sorted(nodes, key=lambda node: node.lineno):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            if node.name in found:
                raise ValueError(f"{path.name} has two checks called {node.name}")
            found[node.name] = ast.get_docstring(node) or ""
    return found


CLIENTS = (
    Client(
        "apache-airflow-providers-dbt-cloud",
        "in Airflow, with the OpenLineage provider: hook, operators, sensor, trigger",
        name="airflow",
        plugins=("airflow_home",),
    ),
    Client("dbt-jobs-as-code", "the command line, as a team's CI calls it"),
    # It needs a pandas that came before Python 3.13.
    Client("dbtc", "the Python client", python_below="3.13"),
    Client("dbt-cloud-cli", "the command line `dbt-cloud`"),
    Client("prefect-dbt", "flows and tasks of its `cloud` module"),
    Client("dagster-dbt", "resources, ops and assets of `cloud` and of `cloud_v2`"),
    Client("dbt-mcp", "the admin tools, called over the Model Context Protocol", python="3.12"),
    Client("dbtcx", "the command line `dbtcx`, which calls `dbt-cloud`"),
    Client("dbt-heartbeat", "the command line `dh`, through a proxy, as it knows no other host"),
)
