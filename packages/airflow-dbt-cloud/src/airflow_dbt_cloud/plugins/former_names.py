"""
Find triggers under the names of modules that have moved.

Airflow stores a trigger by the path of its class. A task that was deferred, or an asset that was
watched, before the modules moved is found at the old path for one release. Delete this module with
the release after 0.1.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from airflow.plugins_manager import AirflowPlugin


NOW_AT = {
    "include.dbt_cloud.job_watch": "airflow_dbt_cloud.watching.job_watch",
    "include.dbt_cloud.own_job_watch": "airflow_dbt_cloud.watching.own_job_watch",
    "include.dbt_cloud.trigger": "airflow_dbt_cloud.waiting.trigger",
}
PACKAGE = "include.dbt_cloud"


class FormerNames(MetaPathFinder, Loader):
    """Gives what is in a module today to a module of the name that it had."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        if fullname == PACKAGE:
            return ModuleSpec(fullname, self, is_package=True)
        # The user's folder, unless it is gone: asked last, so that theirs comes first.
        if fullname == "include":
            return ModuleSpec(fullname, self, is_package=True)
        return ModuleSpec(fullname, self) if fullname in NOW_AT else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty one: the other keeps its own name."""

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ in NOW_AT:
            there = vars(importlib.import_module(NOW_AT[module.__name__]))
            own = {name: value for name, value in there.items() if not name.startswith("__")}
            vars(module).update(own)


def register() -> None:
    """Answer for the old names after everybody else was asked."""
    if not any(isinstance(finder, FormerNames) for finder in sys.meta_path):
        sys.meta_path.append(FormerNames())


class DbtCloudFormerNamesPlugin(AirflowPlugin):
    name = "dbt_cloud_former_names"


# Airflow loads plugins where it loads triggers, before the first of them.
register()
