"""
The dbts that runs can use: the one that came with the server, and those that jobs ask for.

An adapter or a version that the server's own dbt has not is installed from PyPI into an environment
of its own, when the first run needs it.
"""

import hashlib
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local_dbt_cloud.dbt.dbt_process import Dbt, Invocation, inherited_process_env
from local_dbt_cloud.dbt.warm_dbt import WarmDbt
from local_dbt_cloud.settings import ServerSettings


OWN_ADAPTER = "postgres"
# dbt Cloud's names for "whatever is current"; here that is the dbt that is installed.
RELEASE_TRACKS = re.compile(r"(versionless|latest|latest-fusion|compatible|extended|fallback)")
VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+((a|b|rc)\d+)?)?(-latest|-pre)?")
# Building a package may need the network and its settings, and nothing else of this server's.
FOR_INSTALLING = re.compile(r"(UV|PIP)_\w+|(https?|no|all)_proxy", re.IGNORECASE)


class NoSuchDbtError(Exception):
    """Says why a dbt cannot be had."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`adapter` as on PyPI, pinned: `dbt-duckdb==1.10.0`; None for the server's own, PostgreSQL."""

    type: str
    adapter: str | None
    dbt_version: str


@dataclass
class Installation:
    folder: Path
    requirements: tuple[str, ...]
    dbt: Dbt
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_ready(self) -> bool:
        """Written last: without it, an interrupted installation is begun again."""
        return (self.folder / "installed").exists()

    def finish(self) -> None:
        (self.folder / "installed").write_text("\n".join(self.requirements) + "\n")

    def commands(self, python: Path, log: Path) -> Iterator[Invocation]:
        """What uv is told, one after the other."""
        process_env = inherited_process_env() | {
            name: value for name, value in os.environ.items() if FOR_INSTALLING.fullmatch(name)
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        interpreter = str(self.folder / "bin/python")
        for arguments in (
            ["venv", "--quiet", "--clear", "--no-project", "--python", str(python), "."],
            ["pip", "install", "--compile-bytecode", "--python", interpreter, *self.requirements],
        ):
            yield Invocation(arguments, self.folder, process_env, log)


class DbtInstallations:
    def __init__(self, settings: ServerSettings) -> None:
        self.folder = settings.state / "dbt_environments"
        self.own = WarmDbt(settings.dbt, (OWN_ADAPTER,), may_fork=settings.warm_dbt)
        self.own_version = find_version(settings.dbt)
        self.may_fork = settings.warm_dbt
        self.lock = threading.Lock()
        self.others: dict[tuple[str, ...], Installation] = {}

    @property
    def python(self) -> Path:
        """What environments are made from: the Python of the server's own dbt."""
        own = self.own.python
        return own if own.exists() else Path(sys.executable)

    def close(self) -> None:
        self.own.close()
        for installation in self.others.values():
            if isinstance(installation.dbt, WarmDbt):
                installation.dbt.close()

    def find(self, wanted: Wanted) -> Installation | None:
        """None when the server's own dbt will do; raise `NoSuchDbtError` for what cannot be."""
        core = self._core(wanted.dbt_version)
        if core is None and wanted.adapter is None:
            return None
        requirements = (core or self._own_core(), wanted.adapter or f"dbt-{OWN_ADAPTER}")
        with self.lock:
            if requirements not in self.others:
                self.others[requirements] = self._prepare(requirements, wanted.type)
            return self.others[requirements]

    def _prepare(self, requirements: tuple[str, ...], adapter_type: str) -> Installation:
        # The Python belongs to it: an environment does not outlive the one that it was made from.
        text = "\n".join([*requirements, str(self.python), sys.version])
        name = re.sub(r"[^a-z0-9.]+", "-", requirements[-1].lower())
        folder = self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        dbt = WarmDbt(folder / "bin/dbt", (adapter_type,), may_fork=self.may_fork)
        return Installation(folder, requirements, dbt)

    def _own_core(self) -> str:
        return f"dbt-core=={self.own_version}" if self.own_version else "dbt-core"

    def _core(self, dbt_version: str) -> str | None:
        """The requirement for a version that is not the server's own; None when it is."""
        if RELEASE_TRACKS.fullmatch(dbt_version) or self.own_version is None:
            return None
        found = VERSION.fullmatch(dbt_version)
        if found is None:
            raise NoSuchDbtError(f"'{dbt_version}' is no version of dbt")
        major, minor, patch, *_, track = found.groups()
        if patch and not track:
            is_own = dbt_version == self.own_version
            return None if is_own else f"dbt-core=={dbt_version}"
        if self.own_version.split(".")[:2] == [major, minor]:
            return None
        return f"dbt-core>={major}.{minor},<{major}.{int(minor) + 1}"


def find_version(dbt: Path) -> str | None:
    """The version of dbt-core beside a `dbt` program; None when there is none, as for a script."""
    found = sorted(dbt.parent.parent.glob("lib/python3*/site-packages/dbt_core-*.dist-info"))
    return found[-1].name.split("-")[1].removesuffix(".dist") if found else None


def find_uv() -> Path:
    """Raise `NoSuchDbtError` when nothing can be installed."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise NoSuchDbtError("uv, which installs adapters, is not beside the server's Python")
    return Path(found)
