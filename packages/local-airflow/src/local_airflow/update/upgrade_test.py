"""
Try the DAGs on another version of Airflow before moving to it.

Three questions: which packages change, does a rule for the new version object to the code, and
do all DAG files import. Nothing that runs is touched.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.certificates import installer_environment
from local_airflow.base.folders import LOCAL, PACKAGES, ROOT, shown
from local_airflow.base.install import find_uv
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.shell_variables import of_shell


VERSION = re.compile(r"\d+\.\d+\.\d+\w*")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
YOURS = ("dags", "include", "plugins", "examples")
# What DAGs import of this repository.
IMPORTED = ("dbt-cloud-api", "airflow-dbt-cloud")
DEV = LOCAL / "dev" / "bin"


def run(version: str) -> int:
    """Give 0 when the rules and the DAGs are content with that version."""
    if not VERSION.fullmatch(version):
        raise UserError(
            f"{version} is no version of Airflow" if version else "which version?",
            "A version looks like 3.3.2.",
            ("make upgrade-test AIRFLOW=3.3.2",),
        )
    folder = LOCAL / "upgrade-test" / version
    folder.mkdir(parents=True, exist_ok=True)
    with ProgressLine(f"resolving what Airflow {version} needs"):
        lock = _resolve(version, folder)
    print("\npackages that change")
    print("\n".join(changes(_pins(ROOT / "requirements" / "airflow.lock"), _pins(lock))))
    print("\nruff's rules for Airflow", flush=True)
    rules = subprocess.run(
        [
            DEV / "ruff",
            "check",
            "--select",
            "AIR",
            *(each for each in YOURS if (ROOT / each).is_dir()),
        ],
        cwd=ROOT,
        check=False,
    )
    print(f"\nDAG files on Airflow {version}", flush=True)
    imports = _import_dags(folder, lock)
    content = rules.returncode == 0 and imports == 0
    print(f"\nAirflow {version}: {'nothing objects' if content else 'not yet, see above'}")
    return 0 if content else 1


def changes(now: dict[str, str], then: dict[str, str]) -> list[str]:
    """Give a line for each package that would come, go or change."""
    lines = []
    for name in sorted(now.keys() | then.keys()):
        before, after = now.get(name, "-"), then.get(name, "-")
        if before != after:
            lines.append(f"  {name:<45} {before:>12} → {after}")
    return lines or ["  none"]


def _pins(lock: Path) -> dict[str, str]:
    return dict(PIN.findall(lock.read_text(encoding="utf-8")))


def _resolve(version: str, folder: Path) -> Path:
    lock = folder / "requirements.lock"
    wanted = folder / "requirements.in"
    wanted.write_text(f"apache-airflow=={version}\ndebugpy\n", encoding="utf-8")
    # What is locked today stays, as far as the other version allows.
    lock.write_text((ROOT / "requirements" / "airflow.lock").read_text(encoding="utf-8"))
    compile_ = [find_uv(), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    _tell(
        [
            *compile_,
            "--no-emit-index-url",
            "--no-annotate",
            "--no-header",
            str(ROOT / "requirements.txt"),
            str(wanted),
            "-o",
            str(lock),
        ],
        version,
    )
    return lock


def _import_dags(folder: Path, lock: Path) -> int:
    uv, python = find_uv(), folder / "environment" / "bin" / "python"
    with ProgressLine(f"installing {shown(folder)}"):
        made = [uv, "venv", "--quiet", "--clear", "--python", sys.executable]
        _tell([*made, str(python.parents[1])])
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        _tell([*install, "--requirements", str(lock), "pytest"])
        _tell([*install, "--no-deps", *(str(PACKAGES / name) for name in IMPORTED)])
    test = str(ROOT / ".astro" / "test_dag_integrity_default.py")
    with tempfile.TemporaryDirectory() as home:
        environment = of_shell("tests")
        environment |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        return subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
            cwd=ROOT,
            env=environment,
            check=False,
        ).returncode


def _tell(command: list[str], version: str = "") -> None:
    done = subprocess.run(
        command, env=installer_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(
            f"Airflow {version} does not fit requirements.txt" if version else "uv failed",
            "\n  ".join(done.stderr.strip().splitlines()[-12:]),
            (f"Delete {shown(LOCAL / 'upgrade-test')} and try again, or loosen requirements.txt",),
        )
