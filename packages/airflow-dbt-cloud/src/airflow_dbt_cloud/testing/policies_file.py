"""
`policies.toml` as a file of tests: what every DAG of a folder owes.

One test for each policy, and four that need no word in the file: every DAG file imports with and
without `.env`, every DAG reaches the scheduler, none has a cycle, and each exception is needed.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_dbt_cloud.testing import policies, sealed


ACCOUNT = {
    "DBT_CLOUD_JOB_URL": "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
    "DBT_CLOUD_API_TOKEN": "dbtc_secret",
}


class PolicyError(Exception):
    """A DAG owes something; the text says which, where and what to write."""


class PolicyTest(pytest.Item):
    """One statement about all DAGs of the folder."""

    def __init__(self, *, check: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self.check = check
        # Airflow itself uses what it calls deprecated.
        self.add_marker(pytest.mark.filterwarnings("default"))

    def runtest(self) -> None:
        self.check()

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,
    ) -> Any:
        # The message is the whole answer: no traceback of this package below it.
        if isinstance(excinfo.value, PolicyError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, None, self.name


class PoliciesFile(pytest.File):
    """`dags` in the file names the folder, relative to the file."""

    def collect(self) -> Iterator[PolicyTest]:
        declared = tomllib.loads(self.path.read_text(encoding="utf-8"))
        place = (self.path.parent / declared.pop("dags", "dags")).resolve()
        folder = policies.Folder(place, declared)
        statements: dict[str, Callable[[], None]] = {
            **{f"policy {name}": _policy(name, folder) for name in policies.POLICIES},
            "every policy is declared": lambda: _every_policy_is_declared(folder),
            "every exception is needed": lambda: _every_exception_is_needed(folder),
            "imports without .env": lambda: _imports(folder, {}),
            "imports with .env": lambda: _imports(folder, ACCOUNT),
            "reaches the scheduler": lambda: _reaches_the_scheduler(folder),
            "has no cycle": lambda: _has_no_cycle(folder),
        }
        for name, check in statements.items():
            yield PolicyTest.from_parent(self, name=name, check=check)


def _policy(name: str, folder: policies.Folder) -> Callable[[], None]:
    def check() -> None:
        broken = policies.broken(name, folder)
        if broken:
            raise PolicyError("\n".join(map(str, broken)))

    return check


def _every_policy_is_declared(folder: policies.Folder) -> None:
    declared = set(folder.policies) - {"exceptions"}
    if declared != set(policies.POLICIES):
        different = ", ".join(sorted(declared ^ set(policies.POLICIES)))
        raise PolicyError(f"the file and the checks do not name the same policies: {different}")


def _every_exception_is_needed(folder: policies.Folder) -> None:
    for each in folder.policies.get("exceptions", []):
        found = policies.POLICIES[each["policy"]](folder, folder.policies[each["policy"]])
        if not each.get("reason"):
            raise PolicyError(f"{each['dag']} is let off {each['policy']} without a reason")
        if each["dag"] not in {violation.file.stem for violation in found}:
            raise PolicyError(f"{each['dag']} is let off {each['policy']}, and does not break it")


def _imports(folder: policies.Folder, settings: dict[str, str]) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ACCOUNT}
    with mock.patch.dict(os.environ, {**kept, **settings}, clear=True):
        errors = sealed.read(folder.folder).import_errors
    if errors:
        raise PolicyError("\n".join(errors.values()))


def _reaches_the_scheduler(folder: policies.Folder) -> None:
    """Every DAG can be written down and read again, as on its way to the scheduler."""
    for dag in folder.bag.dags.values():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        if set(again.task_ids) != set(dag.task_ids):
            raise PolicyError(f"{dag.dag_id} has other tasks once it was written down")


def _has_no_cycle(folder: policies.Folder) -> None:
    for dag in folder.bag.dags.values():
        dag.check_cycle()
