"""Create the environments under `.local/` from their lock files, where they are not right."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from local_airflow.folders import LOCAL, ROOT
from local_airflow.process_table import DROPPED
from local_airflow.user_error import UserError
from local_airflow.waiting import Waiting


UV_VERSION = "0.13.9"
TO_RUN = ("tools", "postgres", "local-dbt-cloud", "dbt", "training", "airflow")
NEEDED_MEGABYTES = 1800
# What uv says of its progress; the rest of what it says is a warning, an error, or a list.
PROGRESS = ("Using Python", "Resolved", "Downloading", "Prepared", "Installed", "Bytecode")
LOCK_OPTIONS = (
    *("--universal", "--generate-hashes", "--upgrade", "--no-header", "--quiet"),
    *("--no-emit-index-url", "--no-emit-find-links"),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """
    A folder below .local/, the lock file that says what is in it, and the Python it begins with.

    Compiling everything ahead pays where many processes start; where one imports a small part,
    Python compiles that part by itself.
    """

    name: str
    lock: Path
    python: str = sys.executable
    compiled: bool = True

    @property
    def folder(self) -> Path:
        return LOCAL / self.name

    def stamp(self) -> str:
        lock = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        # A moved clone has the wrong paths in its programs; one whose .local is a link has not.
        text = f"{sys.version}\n{LOCAL.resolve()}\n{lock}"
        return hashlib.sha256(text.encode()).hexdigest()


def install(names: tuple[str, ...]) -> int:
    lock_files = ROOT / "requirements"
    install_environments(Environment(name, lock_files / f"{name}.lock") for name in names)
    return 0


def is_installed(name: str) -> bool:
    return _is_installed(Environment(name, ROOT / "requirements" / f"{name}.lock"))


def install_environments(environments: Iterable[Environment]) -> None:
    missing = [each for each in environments if not _is_installed(each)]
    if not missing:
        return
    LOCAL.mkdir(exist_ok=True)
    check_space(LOCAL, NEEDED_MEGABYTES, "The environments need")
    uv = find_uv()
    for number, each in enumerate(missing, start=1):
        _install(uv, each, f"{number} of {len(missing)}")


def check_space(folder: Path, megabytes: int, who_needs: str) -> None:
    """Refuse a start that a full disk would end halfway."""
    free = shutil.disk_usage(folder).free // 1024**2
    if free < megabytes:
        raise UserError(
            f"the disk has only {free} MB left",
            f"{who_needs} about {megabytes} MB below {folder}.",
            (f"Make room, then:   make up   (df -h {folder} shows the disk)",),
        )


def _is_installed(environment: Environment) -> bool:
    try:
        return (environment.folder / "installed").read_text() == environment.stamp()
    except OSError:
        return False


def _install(uv: str, environment: Environment, which: str) -> None:
    name = f".local/{environment.name}"
    with Waiting(f"installing {name}, {which}") as line:
        if line.is_drawn:
            _fill(uv, environment, lambda said: setattr(line, "detail", _shown(said, environment)))
            line.tick(f"installed {name}")
            return
        print(f"installing {name} …", end="", flush=True)
        try:
            _fill(uv, environment, lambda _: None)
        except UserError:
            print()
            raise
        print(f" {line.seconds:.0f} s", flush=True)


def _shown(said: str, environment: Environment) -> str:
    """Shorten uv's words: it says what it has done, and what takes longest comes last."""
    done = said.partition(" in ")[0]
    return f"{done}, compiling" if environment.compiled and "Installed" in done else done


def _fill(uv: str, environment: Environment, tell: Callable[[str], None]) -> None:
    folder = environment.folder
    run_uv([uv, "venv", "--quiet", "--clear", "--python", environment.python, str(folder)])
    compiled = ["--compile-bytecode"] if environment.compiled else []
    run_uv(
        [
            *(uv, "pip", "install", "--require-hashes", *compiled),
            *("--python", str(folder / "bin" / "python")),
            *("--requirements", str(environment.lock)),
        ],
        tell,
    )
    # Written last: without it, an interrupted installation is begun again.
    (folder / "installed").write_text(environment.stamp())


def find_uv() -> str:
    """Find uv, or fetch it with pip into an environment of its own."""
    own = LOCAL / "uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found:
        return found
    with Waiting("fetching uv with pip") as line:
        if not line.is_drawn:
            print("fetching uv with pip …", flush=True)
        run_uv([sys.executable, "-m", "venv", "--clear", str(LOCAL / "uv")])
        pip = [str(LOCAL / "uv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        run_uv([*pip, f"uv=={UV_VERSION}"])
    return str(own)


def run_uv(command: list[str], tell: Callable[[str], None] = lambda _: None) -> None:
    """Run uv or what fetches it; `tell` is told of its progress, and its errors are raised."""
    environment = {key: value for key, value in os.environ.items() if key not in DROPPED}
    said: deque[str] = deque(maxlen=12)
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            if line.startswith(PROGRESS):
                tell(line.strip())
            else:
                said.append(line.rstrip())
    if process.returncode:
        raise UserError(
            f"{Path(command[0]).name} could not install what is needed",
            "\n  ".join(said).strip() or f"It ended with {process.returncode} and said nothing.",
            ("If the network or a proxy is the reason, put that right, then:   make up",),
        )


def lock() -> int:
    """Write requirements/*.lock anew from requirements.txt and pyproject.toml's groups."""
    uv = find_uv()
    options = [*LOCK_OPTIONS, "--python-version", "3.11"]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    airflow = ["requirements.txt", "--group", "pyproject.toml:airflow"]
    # The tests must see the very Airflow that runs, and Celery must not change it.
    same = ["-c", "requirements/airflow.lock"]
    also = {"airflow": ["requirements.txt"], "celery": same, "dev": [*same, *airflow]}
    for group in pyproject["dependency-groups"]:
        source = [*also.get(group, []), "--group", f"pyproject.toml:{group}"]
        with Waiting(f"choosing versions for requirements/{group}.lock"):
            run_uv([uv, "pip", "compile", *options, *source, "-o", f"requirements/{group}.lock"])
        print(f"wrote requirements/{group}.lock")
    return 0
