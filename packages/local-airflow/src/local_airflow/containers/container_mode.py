"""Everything in containers, by docker-compose.yaml."""

import io
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dbt_cloud_api.user_error import UserError
from local_airflow.base import log_files
from local_airflow.base.folders import ROOT
from local_airflow.base.interruption import end_group
from local_airflow.base.progress_line import ProgressLine
from local_airflow.containers import container_snapshots
from local_airflow.containers.compose import (
    Compose,
    project_folder,
    service_of,
    terminal,
    write_dbt_variables,
)
from local_airflow.stack.generated_secrets import Secrets
from local_airflow.stack.mode import Part
from local_airflow.stack.postgres_login import log_in_by
from local_airflow.stack.settings import StackSettings


ONCE = ("secrets", "migrate", "ingestion")
SECONDS_BETWEEN_LOOKS = 1.5
HOPELESS = 10
KEPT_LINES = "2000"


class ContainerMode:
    name = "docker"

    def __init__(
        self, settings: StackSettings, files: Sequence[str], process_env: Mapping[str, str]
    ) -> None:
        self.described = settings
        self.folders = settings.folders.containers
        self.compose = Compose(settings, files, process_env)
        self.beginning: subprocess.Popen[bytes] | None = None
        self.looked_at = 0.0

    @property
    def settings(self) -> StackSettings:
        # While Compose is at it, the service `secrets` may be in the middle of its work.
        if self._is_beginning():
            return self.described
        try:
            return self._told_settings
        except UserError:
            return self.described

    @cached_property
    def _told_settings(self) -> StackSettings:
        """Take secrets and certificates from the volume, which outlives every folder here."""
        archive = self.compose.ask_bytes("cp", "secrets:/run/secrets/clone", "-")
        if not archive:
            raise UserError("nothing is running", "There are no secrets yet.", ("make up",))
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            texts = {
                member.name.partition("/")[2]: files.extractfile(member).read().decode()  # type: ignore[union-attr] # a file
                for member in files
                if member.isfile()
            }
        if not texts.keys() >= {"bundle.pem", *Secrets.__dataclass_fields__}:
            raise UserError("the stack has no secrets yet", "It was never started.", ("make up",))
        self.folders.create()
        (self.folders.tls / "bundle.pem").write_text(texts.pop("bundle.pem"), encoding="ascii")
        return replace(self.described, folders=self.folders, secrets=Secrets(**texts))

    def install(self) -> None:
        """Build the images; what has not changed is taken from the builder's memory."""
        self._refuse_a_stranger()
        images = self.compose.ask("config", "--images").split()
        inspected = subprocess.run(
            ["docker", "image", "inspect", *images], capture_output=True, check=False
        )
        if inspected.returncode == 0:
            with ProgressLine("building the images"):
                self.compose.ask("build", "--quiet")
        else:
            print("building the images; the first time takes some minutes", flush=True)
            if self.compose.show("build"):
                raise UserError(
                    "the images could not be built",
                    "What the builder said stands above.",
                    (
                        "If the network is the reason, put that right, then:   make up",
                        "To do without Docker, in .env:   MODE=native",
                    ),
                )

    def _refuse_a_stranger(self) -> None:
        """Two clones whose folders have the same name would share containers and volumes."""
        for container in self.compose.containers():
            folder = project_folder(container)
            if folder != ROOT:
                raise UserError(
                    f"another clone uses the name {ROOT.name}",
                    f"Its containers were started from {folder}.",
                    (f"In .env here:   COMPOSE_PROJECT_NAME={ROOT.name.lower()}-2",),
                )

    def is_running(self) -> bool:
        return any(container["State"]["Running"] for container in self.compose.containers())

    def how_it_ended(self) -> str:
        ended = [each for each in self.compose.containers() if not _has_done_its_work(each)]
        names = [f"{service_of(each)} ({each['State']['ExitCode']})" for each in ended]
        if not names:
            return ""
        return f"Its containers ended, and make down was not the reason: {', '.join(names)}."

    def stop_previous(self) -> None:
        """Leave what runs: Compose replaces what has changed, and only that."""

    def own_ports(self) -> frozenset[int]:
        published = [
            binding["HostPort"]
            for container in self.compose.containers()
            for bindings in container["NetworkSettings"]["Ports"].values()
            for binding in bindings or ()
        ]
        return frozenset(int(port) for port in published)

    def start(self) -> None:
        self.folders.create()
        write_dbt_variables(self.described)
        # No account needs the local dbt Cloud.
        without = [] if self.described.is_local else ["--scale", "local-dbt-cloud=0"]
        with (self.folders.logs / "compose.log").open("wb") as log:
            self.beginning = self.compose.begin(
                log, "up", "--detach", "--no-build", "--remove-orphans", *without
            )

    def _is_beginning(self) -> bool:
        return self.beginning is not None and self.beginning.poll() is None

    def stop(self) -> bool:
        if self.beginning and self._is_beginning():
            end_group(self.beginning)
        if not self.compose.containers():
            return False
        # Above all those of a start that failed: `down` removes them.
        self.keep_logs()
        self.compose.ask("down", "--remove-orphans", disturbed=False)
        return True

    def keep_logs(self) -> None:
        with suppress(UserError):
            said = self.compose.ask("logs", "--no-color", "--tail", KEPT_LINES, disturbed=False)
            self.folders.create()
            log_files.keep(self.folders.logs, said.splitlines())

    def parts(self) -> list[Part]:
        containers = [each for each in self.compose.containers() if not _has_done_its_work(each)]
        services = Counter(service_of(each) for each in containers)
        return [_part(each, numbered=services[service_of(each)] > 1) for each in containers]

    def is_prepared(self) -> bool:
        # Until Compose is through, what answers may be a container that it is about to replace.
        if self._is_beginning():
            return False
        ended = [service_of(each) for each in self.compose.containers() if _has_done_its_work(each)]
        loaded = {"ingestion"} if self.described.has_examples else set()
        return set(ended) >= {"secrets", "migrate"} | loaded

    def recovery(self) -> str:
        # Compose waits for PostgreSQL's health check, and a container says no more.
        return ""

    def local_dbt_cloud_state(self) -> str:
        return container_snapshots.STATE_IN_CONTAINER

    def own_facts(self) -> list[tuple[str, str, Callable[[], bool]]]:
        return [
            (
                "every container's own health check",
                "scheduler",
                lambda: all(part.is_healthy for part in self.parts()),
            )
        ]

    def raise_if_failed(self) -> None:
        # Two calls of docker each time: not more often than a person would notice.
        if time.monotonic() - self.looked_at < SECONDS_BETWEEN_LOOKS:
            return
        self.looked_at = time.monotonic()
        # A container that Compose is replacing is unhealthy while it stops: that is no failure.
        is_settled = not self._is_beginning()
        for container in self.compose.containers():
            why = _why_failed(container, is_settled=is_settled)
            if why:
                name = service_of(container)
                raise UserError(
                    f"{name} {why}",
                    f"The end of its log:\n{self.last_lines(name)}",
                    (f"make logs S={name}",),
                )
        if self.beginning and self.beginning.poll():
            raise UserError(
                "docker compose up failed",
                (self.folders.logs / "compose.log").read_text(errors="replace").strip()[-1500:],
                ("Put that right, then:   make up",),
            )

    def last_lines(self, part: str, count: int = 12) -> str:
        # Of several containers of a service, one is named with its number.
        service = part if part in self._services() else part.rpartition("-")[0]
        said = self.compose.ask("logs", "--no-log-prefix", "--tail", str(count), service)
        # Compose begins each line with the sign that clears it, for a terminal.
        lines = said.replace("\x1b[2K", "").splitlines()
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote no log)"

    def _services(self) -> list[str]:
        return sorted(self.compose.ask("config", "--services").split())

    def logs(self, part: str | None, lines: int, *, following: bool) -> int:
        services = self._services()
        if part and part not in services:
            raise UserError(
                f"there is no service {part}",
                f"There are: {', '.join(services)}.",
                ("make logs S=scheduler",),
            )
        if not self.compose.containers():
            print("nothing is running; this is how the logs ended", flush=True)
            return log_files.show(self.folders.logs, part, lines, following=False)
        follow = ["--follow"] if following else []
        return self.compose.show("logs", "--tail", str(lines), *follow, *([part] if part else []))

    def restart(self, part: str) -> None:
        self.compose.ask("restart", part)

    def run_airflow(self, command: Sequence[str]) -> int:
        return self.compose.show("exec", *terminal(), "scheduler", "with-secrets", *command)

    def run_ingestion(self, arguments: Sequence[str]) -> int:
        command = ["/opt/ingestion/bin/python", "-m", "examples.loader", *arguments]
        return self.compose.show("run", *terminal(), "--rm", "--no-deps", "ingestion", *command)

    def psql(self, database: str, arguments: Sequence[str]) -> int:
        who = ["psql", f"--username={database}", f"--dbname={database}"]
        return self.compose.show("exec", *terminal(), "postgres", *who, *arguments)

    def log_in(self, seconds: float) -> None:
        psql = self.compose.command("exec", "--no-TTY", "postgres", "psql")
        log_in_by(psql, self.compose.environment, seconds)

    def dump_database(self, database: str, file: Path) -> None:
        container_snapshots.dump_database(self.compose, database, file)

    def archive_state(self, file: Path) -> None:
        container_snapshots.archive_state(self.compose, file)

    def bring_back(self, folder: Path) -> None:
        container_snapshots.bring_back(self.compose, folder)

    def delete_data(self) -> None:
        self.compose.ask("down", "--volumes", "--remove-orphans")

    def describe_data(self) -> str:
        return "the volumes of this project: databases, runs, task logs, secrets"


def _has_done_its_work(container: Mapping[str, Any]) -> bool:
    state = container["State"]
    return service_of(container) in ONCE and state["Status"] == "exited" and not state["ExitCode"]


def _part(container: Mapping[str, Any], *, numbered: bool) -> Part:
    state = container["State"]
    health = state.get("Health", {}).get("Status", "")
    name = str(container["Name"]).lstrip("/")
    number = name.rpartition("-")[2]
    return Part(
        f"{service_of(container)}-{number}" if numbered else service_of(container),
        # A paused container is called healthy as long as it is not asked.
        health if health and state["Status"] == "running" else state["Status"],
        name,
        container["RestartCount"],
        state["Status"] == "running" and health in {"", "healthy"},
        remedy=f"docker unpause {name}" if state["Status"] == "paused" else "",
    )


def _why_failed(container: Mapping[str, Any], *, is_settled: bool) -> str:
    """Say what is wrong with a container that starting cannot mend; empty when nothing is."""
    state = container["State"]
    if state.get("OOMKilled"):
        return "needed more memory than its limit"
    if service_of(container) in ONCE:
        ended = state["Status"] == "exited" and state["ExitCode"]
        return f"ended with {state['ExitCode']}" if ended else ""
    # Two deaths in a row during a start are no accident.
    if container["RestartCount"] > 1:
        return f"died {container['RestartCount']} times at its start"
    # One that is slow on a busy machine fails some checks in a row, and comes round.
    if is_settled and state.get("Health", {}).get("FailingStreak", 0) >= HOPELESS:
        return "is unhealthy"
    return ""
