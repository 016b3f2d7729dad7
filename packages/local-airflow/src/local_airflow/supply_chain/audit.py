"""`make audit`: are there published weaknesses in what the locks install?"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt_cloud_api.user_error import UserError
from local_airflow.base.certificates import installer_environment
from local_airflow.base.folders import LOCAL, ROOT
from local_airflow.base.install import install


AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Audited:
    """What PyPI said of one lock: how many it knows, how many it does not, and what is weak."""

    lock: str
    known: int
    unknown: int
    weaknesses: tuple[str, ...]


def audit() -> int:
    """Give 1 when a lock installs what has a published weakness."""
    install(("security",))
    # Nearly all of the time is spent on waiting for PyPI.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(_audit, sorted((ROOT / "requirements").glob("*.lock"))))
    print("\n".join(as_text(found)))
    return 1 if any(each.weaknesses for each in found) else 0


def as_text(audited: Iterable[Audited]) -> Iterator[str]:
    for each in audited:
        yield f"requirements/{each.lock}: {_summary(each)}"
        yield from (f"  {weakness}" for weakness in each.weaknesses)


def _summary(each: Audited) -> str:
    if not each.known:
        return f"not audited, PyPI does not answer for its {each.unknown} packages"
    left = f", {each.unknown} that PyPI does not know" if each.unknown else ""
    weak = f"{len(each.weaknesses)} published weaknesses" if each.weaknesses else "nothing known"
    return f"{each.known} packages audited{left}: {weak}"


def _audit(lock: Path) -> Audited:
    # As it is locked: nothing is resolved or built for it.
    as_locked = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json"]
    command = [str(LOCAL / "security/bin/pip-audit"), *as_locked, "--requirement", str(lock)]
    done = subprocess.run(
        command, env=installer_environment(), capture_output=True, text=True, check=False
    )
    if not done.stdout:
        return _without_answer(lock, done.stderr)
    return read_report(lock.name, json.loads(done.stdout))


def _without_answer(lock: Path, said: str) -> Audited:
    if "ConnectionError" not in said and "ServiceError" not in said:
        raise UserError(
            f"requirements/{lock.name} could not be audited",
            said.strip().splitlines()[-1] if said.strip() else "pip-audit said nothing.",
            ("Put that right, then:   make audit",),
        )
    print(said.strip().splitlines()[-1], file=sys.stderr)
    return Audited(lock.name, 0, lock.read_text(encoding="utf-8").count("=="), ())


def read_report(lock: str, report: dict[str, Any]) -> Audited:
    """Read pip-audit's JSON: `vulns` of each package, or a `skip_reason`."""
    known = [each for each in report["dependencies"] if "skip_reason" not in each]
    weaknesses = (
        f"{each['name']} {each['version']}: {weakness['id']}, {_cured_in(weakness['fix_versions'])}"
        for each in known
        for weakness in each["vulns"]
    )
    unknown = len(report["dependencies"]) - len(known)
    return Audited(lock, len(known), unknown, tuple(weaknesses))


def _cured_in(versions: list[str]) -> str:
    return f"cured in {', '.join(versions)}" if versions else "not cured yet"
