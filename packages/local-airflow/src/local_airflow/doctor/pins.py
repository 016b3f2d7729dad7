"""Is what is installed, below .local/ or in the images, what the lock files say?"""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, ROOT
from local_airflow.base.install import EDITABLE, is_installed
from local_airflow.doctor.findings import Finding, ok, skipped, warning
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.mode import Mode


PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SHOWN = 3
SECONDS_TO_ASK = 10


def examine() -> list[Finding]:
    names = [path.stem for path in sorted((ROOT / "requirements").glob("*.lock"))]
    there = [name for name in names if (LOCAL / name).is_dir()]
    if not there:
        return [skipped("installed", "nothing yet: make up installs it")]
    wrong = [finding for name in there for finding in _compare(name)]
    return wrong or [ok("installed", f"{', '.join(there)}: as locked")]


def examine_images(mode: Mode) -> list[Finding]:
    """Compare what Airflow in the image says of itself with what requirements.txt is locked to."""
    if not mode.is_running():
        return [skipped("installed", "in the images, which make up builds")]
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=SECONDS_TO_ASK)
    try:
        providers = api.get("/api/v2/providers", limit=200)["providers"]
        there = {_normal(each["package_name"]): str(each["version"]) for each in providers}
        there["apache-airflow"] = api.get_public("/api/v2/version")["version"]
    except UserError as silent:
        return [skipped("installed", f"not known: {silent.problem}")]
    locked = locked_versions("airflow")
    wanted = [name for name in _named(ROOT / "requirements.txt") if name in there]
    different = [
        f"{name} {there[name]} (locked: {' or '.join(sorted(locked[name]))})"
        for name in wanted
        if there[name] not in locked[name]
    ]
    if not different:
        return [
            ok("installed", f"in the image: Airflow and {len(wanted) - 1} providers, as locked")
        ]
    return [
        warning(
            "installed",
            f"the image has {', '.join(different[:SHOWN])}",
            "It was built from other lock files than those that are here now.",
            "make up",
        )
    ]


def _named(requirements: Path) -> list[str]:
    """Name the packages that a file of requirements asks for."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return [_normal(found[0]) for line in lines if (found := REQUIREMENT.match(line))]


def _compare(name: str) -> list[Finding]:
    if not is_installed(name):
        return [
            warning(
                "installed",
                f".local/{name} is not of this lock file, this Python or this place",
                f"It was made from another requirements/{name}.lock, or the clone was moved.",
                "make dev" if name == "dev" else "make up",
            )
        ]
    locked, installed = locked_versions(name), installed_versions(name)
    different = [
        f"{package} {version} (locked: {' or '.join(sorted(locked[package]))})"
        for package, version in installed.items()
        if package in locked and version not in locked[package]
    ]
    ours = {"pip", *EDITABLE.get(name, ())}
    more = [package for package in installed if package not in locked and package not in ours]
    if not (different or more):
        return []
    what = different + [f"{package} (not locked)" for package in more]
    rest = f" and {len(what) - SHOWN} more" if len(what) > SHOWN else ""
    return [
        warning(
            "installed",
            f".local/{name} has {', '.join(what[:SHOWN])}{rest}",
            "Something was installed into it by hand; it is gone with the next change of a lock.",
            f"To keep it: add it to {_source(name)}, then:   make lock",
            f"To be rid of it:   rm -r .local/{name} && make {'dev' if name == 'dev' else 'up'}",
        )
    ]


def _source(name: str) -> str:
    return "requirements.txt" if name == "airflow" else f"the group {name} in pyproject.toml"


def locked_versions(name: str) -> dict[str, set[str]]:
    """Give the versions of each package; some have one for each range of Python."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    locked: dict[str, set[str]] = {}
    for pin in PIN.finditer(text):
        locked.setdefault(_normal(pin["name"]), set()).add(pin["version"])
    return locked


def installed_versions(name: str) -> dict[str, str]:
    library = LOCAL / name / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return versions_below(library / "site-packages")


def versions_below(folder: Path) -> dict[str, str]:
    found = distributions(path=[str(folder)])
    return {_normal(each.metadata["Name"]): each.version for each in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
