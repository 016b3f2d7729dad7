"""Calls `docker compose` for this clone, and reads what it says."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from dbt_cloud_api.secret_settings import SECRET_SETTINGS
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT, dotenv_path
from local_airflow.stack.settings import StackSettings


OLDEST_ENGINE = (25, 0)  # the first that asks a starting container more often
OLDEST_COMPOSE = (2, 24)  # the first for which a missing .env is no error
SECONDS_TO_ANSWER = 60
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """The Docker engine that answers here. `problem` says why it cannot be used, if it cannot."""

    version: str
    problem: str


def find_engine() -> Engine:
    if not shutil.which("docker"):
        return Engine("", "there is no docker here")
    engine = _ask("docker", "version", "--format", "{{.Server.Version}}")
    if not engine:
        return Engine("", "no Docker engine answers")
    if _version(engine) < OLDEST_ENGINE:
        return Engine(engine, f"Docker Engine {engine} is older than 25")
    compose = _ask("docker", "compose", "version", "--short")
    if _version(compose) < OLDEST_COMPOSE:
        return Engine(engine, f"Docker Compose {compose or 'is missing'} (2.24 or newer is needed)")
    return Engine(engine, "")


def find_data_folder() -> Path | None:
    """Name the folder of the engine's images and volumes; it may be on another machine."""
    folder = _ask("docker", "info", "--format", "{{.DockerRootDir}}")
    return Path(folder) if folder else None


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS_TO_ANSWER
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(text: str) -> tuple[int, ...]:
    numbers = text.lstrip("v").split("-")[0].split("+")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


class Compose:
    """One project of Compose: these files, with the settings of `.env`."""

    def __init__(
        self, settings: StackSettings, files: Sequence[str], process_env: Mapping[str, str]
    ) -> None:
        self.environment = {**os.environ, **process_env, **_given(settings)}
        chosen = [part for file in files for part in ("--file", str(ROOT / file))]
        dotenv = ["--env-file", str(dotenv_path())] if dotenv_path().exists() else []
        self.base = ["docker", "compose", "--project-directory", str(ROOT), *chosen, *dotenv]

    def command(self, *arguments: str) -> list[str]:
        return [*self.base, *arguments]

    def ask(self, *arguments: str, disturbed: bool = True) -> str:
        """
        Give what a call prints; raise `UserError` with Compose's own words when it fails.

        Ctrl-C reaches every program at the terminal, also one that must come to its end.
        """
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=not disturbed,
        )
        if done.returncode:
            raise _failed(arguments, done.stderr)
        return done.stdout

    def ask_bytes(self, *arguments: str) -> bytes:
        """Give what a call prints as it is, and nothing when it fails."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, check=False
        )
        return done.stdout if done.returncode == 0 else b""

    def pipe(
        self, *arguments: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:
        """Let a call read from a file or write to one; raise `UserError` when it fails."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise _failed(arguments, done.stderr.decode(errors="replace"))

    def show(self, *arguments: str) -> int:
        """Let a call use this terminal; give its exit code."""
        return subprocess.run(
            self.command(*arguments), env=self.environment, check=False
        ).returncode

    def begin(self, log: IO[bytes], *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def containers(self) -> list[dict[str, Any]]:
        """Describe every container of the project, also those that ended."""
        ids = self._ids()
        if not ids:
            return []
        done = subprocess.run(
            ["docker", "inspect", *ids], capture_output=True, text=True, check=False
        )
        # A container that is just being replaced is missing from the answer, which is no error.
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return sorted(found, key=lambda container: str(container["Name"]))

    def _ids(self) -> list[str]:
        for attempt in range(ATTEMPTS):
            try:
                return self.ask("ps", "--all", "--quiet").split()
            except UserError:
                # Compose stumbles over a container that is removed while it lists them.
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.5)
        return []


def _failed(arguments: Sequence[str], said: str) -> UserError:
    return UserError(
        f"docker compose {arguments[0]} failed",
        "\n  ".join(said.strip().splitlines()[-8:]) or "It said nothing.",
        ("To see what runs:   make status",),
    )


def terminal() -> list[str]:
    """Give what `exec` and `run` need when no person sits at this end."""
    return [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]


def write_dbt_variables(settings: StackSettings) -> None:
    """Write what of `.env` the local dbt Cloud may know; Compose cannot choose by a prefix."""
    file = dbt_variables_file(settings)
    file.touch(mode=0o600)
    lines = [f"{name}={value}\n" for name, value in settings.dbt_variables.items()]
    file.write_text("".join(lines), encoding="utf-8")


def dbt_variables_file(settings: StackSettings) -> Path:
    return settings.folders.containers.root / "dbt_variables.env"


def _given(settings: StackSettings) -> dict[str, str]:
    secrets = {name: settings.dotenv[name] for name in SECRET_SETTINGS}
    # Root gets the image's own user: Airflow as root would be no gain to anybody.
    given = {
        "AIRFLOW_UID": str(os.getuid() or 50000),
        "AIRFLOW_PORT": str(settings.airflow_port),
        "LOCAL_DBT_CLOUD_PORT": str(settings.local_dbt_cloud_port),
        "POSTGRES_PORT": str(settings.postgres_port),
        "LOCAL_ENV_FILE": str(dotenv_path()),
        "LOCAL_DBT_ENV_FILE": str(dbt_variables_file(settings)),
        # Whatever the shell says: what counts is .env.
        **secrets,
        # What Compose does not do by itself: replace a container when its file has changed.
        "SECRET_SETTINGS_STAMP": sha256(repr(secrets).encode()).hexdigest()[:12],
        "EXTRA_CA_FILE": str(settings.extra_ca_file or ""),
    }
    git = ROOT / ".git"
    # In a worktree .git is a file that names a folder elsewhere, which the container would not see.
    return {**given, "LOCAL_GIT_FOLDER": str(git)} if git.is_dir() else given


def service_of(container: Mapping[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def project_folder(container: Mapping[str, Any]) -> Path:
    return Path(container["Config"]["Labels"]["com.docker.compose.project.working_dir"])
