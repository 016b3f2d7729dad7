"""Create the environments under `.local/` from their lock files, where they are not right."""

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.certificates import installer_environment
from local_airflow.base.folders import LOCAL, PACKAGES, ROOT
from local_airflow.base.interruption import end_group, undisturbed
from local_airflow.base.progress_line import ProgressLine


TO_RUN = ("tools", "postgres", "local-dbt-cloud", "dbt", "airflow")
# The DAG flight_delays trains its model in it.
FOR_EXAMPLES = ("training",)
NEEDED_MEGABYTES = 1800
# Ours, from packages/: installed as they lie there, so that an edit counts at once.
EDITABLE = {
    "airflow": ("dbt-cloud-api", "airflow-dbt-cloud", "local-airflow"),
    "dev": ("dbt-cloud-api", "airflow-dbt-cloud", "local-dbt-cloud", "local-airflow"),
    "jobs-as-code": ("dbt-cloud-api", "local-airflow"),
    "local-dbt-cloud": ("dbt-cloud-api", "local-dbt-cloud"),
    "postgres": ("dbt-cloud-api",),
    "tools": ("dbt-cloud-api", "local-airflow"),
}
# What uv says of its progress; the rest of what it says is a warning, an error, or a list.
PROGRESS = ("Using Python", "Resolved", "Downloading", "Prepared", "Installed", "Bytecode")
CLOSED_CACHE = re.compile(r"Failed to initialize cache at `([^`]+)`")
# What uv and pip say of a certificate that is signed by nobody they know.
UNTRUSTED = re.compile(r"UnknownIssuer|CERTIFICATE_VERIFY_FAILED")
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
    packages: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return LOCAL / self.name

    def stamp(self) -> str:
        lock = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        # A moved clone has the wrong paths in its programs; one whose .local is a link has not.
        text = f"{sys.version}\n{LOCAL.resolve()}\n{lock}"
        return hashlib.sha256(text.encode()).hexdigest()

    def packages_stamp(self) -> str:
        """Tell which packages are installed, and as what: entry points and names count."""
        files = [PACKAGES / name / "pyproject.toml" for name in self.packages]
        text = "\n".join([self.stamp(), *(file.read_text(encoding="utf-8") for file in files)])
        return hashlib.sha256(text.encode()).hexdigest()


def environment_of(name: str) -> Environment:
    lock_file = ROOT / "requirements" / f"{name}.lock"
    return Environment(name, lock_file, packages=EDITABLE.get(name, ()))


def to_run(*, examples: bool) -> tuple[str, ...]:
    """Name what a start needs."""
    return (*TO_RUN, *(FOR_EXAMPLES if examples else ()))


def install(names: tuple[str, ...]) -> int:
    install_environments(environment_of(name) for name in names)
    return 0


def is_installed(name: str) -> bool:
    environment = environment_of(name)
    return _is_installed(environment) and _has_packages(environment)


def install_environments(environments: Iterable[Environment]) -> None:
    wanted = list(environments)
    _install_locked([each for each in wanted if not _is_installed(each)])
    for each in wanted:
        if not _has_packages(each):
            _install_packages(find_uv(), each)


def _install_locked(missing: list[Environment]) -> None:
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
    return _says(environment.folder / "installed", environment.stamp())


def _has_packages(environment: Environment) -> bool:
    written = environment.folder / "installed-packages"
    return not environment.packages or _says(written, environment.packages_stamp())


def _says(file: Path, stamp: str) -> bool:
    try:
        return file.read_text() == stamp
    except OSError:
        return False


def _install_packages(uv: str, environment: Environment) -> None:
    """
    Put in what is ours. The lock has what it needs; `--require-hashes` refuses a folder.

    uv builds it by itself; offline, it can fetch nobody else's program to do so.
    """
    sources = [text for name in environment.packages for text in ("-e", str(PACKAGES / name))]
    python = str(environment.folder / "bin" / "python")
    run_uv([uv, "pip", "install", "--offline", "--no-deps", "--python", python, *sources])
    (environment.folder / "installed-packages").write_text(environment.packages_stamp())


def _install(uv: str, environment: Environment, which: str) -> None:
    name = f".local/{environment.name}"
    with ProgressLine(f"installing {name}, {which}") as line:
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
    with ProgressLine("fetching uv with pip") as line:
        if not line.is_drawn:
            print("fetching uv with pip …", flush=True)
        run_uv([sys.executable, "-m", "venv", "--clear", str(LOCAL / "uv")])
        pip = [str(LOCAL / "uv" / "bin" / "python"), "-m", "pip"]
        locked = ["--require-hashes", "--requirement", str(environment_of("installer").lock)]
        # Not quiet: what it says of a certificate is a warning, and the error only what follows.
        run_uv([*pip, "install", "--progress-bar=off", *locked], environment=_environment_for(pip))
    return str(own)


def _environment_for(pip: list[str]) -> dict[str, str]:
    """Trust what pip was told to trust in its own settings, which a variable would replace."""
    asked = subprocess.run(
        [*pip, "config", "get", "global.cert"],
        env=installer_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return installer_environment([Path(asked.stdout.strip())] if asked.returncode == 0 else [])


def run_uv(
    command: list[str],
    tell: Callable[[str], None] = lambda _: None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run uv or what fetches it; `tell` is told of its progress, and its errors are raised."""
    said: deque[str] = deque(maxlen=12)
    with subprocess.Popen(
        command,
        env=environment or installer_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, so that it can be ended with all that it has begun: a signal to the
        # launcher alone would leave it installing.
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                if line.startswith(PROGRESS):
                    tell(line.strip())
                else:
                    said.append(line.rstrip())
        except BaseException:
            with undisturbed():
                end_group(process)
            raise
    if process.returncode:
        raise _failed(
            Path(command[0]).name,
            "\n  ".join(said).strip() or f"It ended with {process.returncode} and said nothing.",
        )


def _failed(program: str, said: str) -> UserError:
    closed = CLOSED_CACHE.search(said)
    if closed:
        return UserError(
            f"{closed[1]} cannot be written",
            f"{program} keeps there what it downloads: below HOME, unless told otherwise.\n{said}",
            ("To let it keep that elsewhere:   UV_CACHE_DIR=/a/folder/of/yours make up",),
        )
    return UserError(f"{program} could not install what is needed", said, _remedies(said))


def _remedies(said: str) -> tuple[str, ...]:
    if UNTRUSTED.search(said):
        return (
            "If a proxy of your company opens every connection, ask for its certificate (PEM)",
            "In .env:   EXTRA_CA_FILE=company.pem   then:   make up",
        )
    if "SOCKS support" in said:
        return (
            "pip cannot use a SOCKS proxy. One that speaks HTTP:   HTTPS_PROXY=http://… make up",
            "Or install uv, which can (docs.astral.sh/uv), then:   make up",
        )
    return ("If the network or a proxy is the reason, put that right, then:   make up",)


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
        with ProgressLine(f"choosing versions for requirements/{group}.lock"):
            run_uv([uv, "pip", "compile", *options, *source, "-o", f"requirements/{group}.lock"])
        print(f"wrote requirements/{group}.lock")
    return 0
