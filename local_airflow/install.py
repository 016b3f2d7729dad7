"""Create the environments under `.local/` from their lock files, where they are not right."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from local_airflow.folders import LOCAL, ROOT
from local_airflow.process_table import DROPPED
from local_airflow.user_error import UserError


UV_VERSION = "0.13.9"
TO_RUN = ("tools", "postgres", "local-dbt-cloud", "dbt", "airflow")
NEEDED_MEGABYTES = 1500


def install(names: tuple[str, ...]) -> int:
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return 0
    LOCAL.mkdir(exist_ok=True)
    check_space(LOCAL, NEEDED_MEGABYTES, "The environments need")
    uv = find_uv()
    for name in missing:
        _install(uv, name)
    return 0


def check_space(folder: Path, megabytes: int, who_needs: str) -> None:
    """Refuse a start that a full disk would end halfway."""
    free = shutil.disk_usage(folder).free // 1024**2
    if free < megabytes:
        raise UserError(
            f"the disk has only {free} MB left",
            f"{who_needs} about {megabytes} MB below {folder}.",
            (f"Make room, then:   make up   (df -h {folder} shows the disk)",),
        )


def _stamp(name: str) -> str:
    lock = (ROOT / "requirements" / f"{name}.lock").read_bytes()
    # A moved clone has the wrong paths in its programs.
    text = f"{sys.version}\n{LOCAL}\n{hashlib.sha256(lock).hexdigest()}"
    return hashlib.sha256(text.encode()).hexdigest()


def is_installed(name: str) -> bool:
    try:
        return (LOCAL / name / "installed").read_text() == _stamp(name)
    except OSError:
        return False


def _install(uv: str, name: str) -> None:
    started = time.monotonic()
    print(f"installing .local/{name} …", end="", flush=True)
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(LOCAL / name)])
    lock = ROOT / "requirements" / f"{name}.lock"
    target = str(LOCAL / name / "bin" / "python")
    _run(
        [
            *(uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"),
            *("--python", target, "--requirements", str(lock)),
        ]
    )
    # Written last: without it, an interrupted installation is begun again.
    (LOCAL / name / "installed").write_text(_stamp(name))
    print(f" {time.monotonic() - started:.0f} s", flush=True)


def find_uv() -> str:
    """Find uv, or fetch it with pip into an environment of its own."""
    own = LOCAL / "uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found:
        return found
    print("fetching uv with pip …", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(LOCAL / "uv")])
    _run(
        [
            str(LOCAL / "uv" / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            f"uv=={UV_VERSION}",
        ]
    )
    return str(own)


def _run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in DROPPED}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print()
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise UserError(
            f"{Path(command[0]).name} could not install what is needed",
            "\n  ".join(said) or f"It ended with {done.returncode} and said nothing.",
            ("If the network or a proxy is the reason, put that right, then:   make up",),
        )


def lock() -> int:
    """Write requirements/*.lock anew from requirements.txt and pyproject.toml's groups."""
    uv = find_uv()
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--quiet"]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    airflow = ["requirements.txt", "--group", "pyproject.toml:airflow"]
    # The tests must see the very Airflow that runs, and Celery must not change it.
    same = ["-c", "requirements/airflow.lock"]
    also = {"airflow": ["requirements.txt"], "celery": same, "dev": [*same, *airflow]}
    for group in pyproject["dependency-groups"]:
        source = [*also.get(group, []), "--group", f"pyproject.toml:{group}"]
        _run([uv, "pip", "compile", *options, *source, "-o", f"requirements/{group}.lock"])
        print(f"wrote requirements/{group}.lock")
    return 0
