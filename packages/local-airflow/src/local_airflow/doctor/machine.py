"""The machine: Python, mode, memory, disk, ports, clock, and the programs that are needed."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, ROOT, state_folders
from local_airflow.base.install import NEEDED_MEGABYTES, TO_RUN, is_installed
from local_airflow.base.listeners import who_listens, why_not_free
from local_airflow.containers.compose import find_data_folder
from local_airflow.doctor.findings import Finding, error, from_user_error, ok, warning
from local_airflow.stack.dbt_cloud_connection import leaves_out_socks, read_connection
from local_airflow.stack.disk_space import MEBIBYTE, file_systems, holds_state
from local_airflow.stack.settings import StackSettings


# What the stack was measured to take (docs/decisions/0003) plus what one dbt command needs.
NEEDED_MEMORY = {"native": 1300, "docker": 2600}
# Three images, their base images, and what the builder keeps.
NEEDED_FOR_IMAGES = 4000
DAY = 86400


def examine(
    settings: StackSettings | None, foresee: Callable[[], tuple[str, str]], *, running: bool
) -> list[Finding]:
    """Examine what can be said without `.env` too; `settings` is None when it cannot be read."""
    found = [_python(), *_programs(), _system()]
    name = "native"
    try:
        name, why = foresee()
        found.append(ok("mode", f"{name}, {why}"))
    except UserError as wrong:
        found.append(from_user_error("mode", wrong))
    disks = [_disk_of_docker(running=running)] if name == "docker" else [*_disks()]
    found += [_memory(name, running=running), *disks, _clock()]
    if settings is not None:
        found += [*_proxy(settings), *_ports(settings, running=running)]
    return found


def _python() -> Finding:
    version = platform.python_version()
    if find_spec("ensurepip") is None and not is_installed("airflow"):
        return error(
            "Python",
            f"{version} cannot make environments",
            "It comes without ensurepip; Debian and Ubuntu ship that as a package of its own.",
            "apt-get install python3-venv",
        )
    return ok("Python", f"{version}, fits")


def _programs() -> Iterator[Finding]:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        yield error(
            "programs",
            "setpriv is not installed",
            "PostgreSQL refuses to run as root, so root steps down with it.",
            "apt-get install util-linux",
        )
    elif shutil.which("git") is None:
        yield warning(
            "programs",
            "git is not installed",
            "Without it, runs of a branch or a commit and some of these checks cannot be done.",
            "apt-get install git",
        )
    else:
        yield ok("programs", "git and what else is needed are there")


def _system() -> Finding:
    shown = f"{platform.system()} {platform.release()}, {platform.machine()}"
    on_windows_disk = "microsoft" in platform.release().lower() and ROOT.parts[:2] == ("/", "mnt")
    if on_windows_disk:
        return warning(
            "system",
            f"{shown}; the repository is on a disk of Windows",
            "Files there are ten times as slow, and edits are noticed late or never.",
            "Clone it below your Linux home:   git clone … ~/airflow-dbt-cloud",
        )
    return ok("system", shown)


def _memory(mode: str, *, running: bool) -> Finding:
    available, total = _read_memory()
    if available is None:
        return ok("memory", "this system does not say how much there is")
    shown = f"{available} of {total} MB free"
    needed = NEEDED_MEMORY.get(mode, NEEDED_MEMORY["native"])
    if running:
        return ok("memory", f"{shown}, with everything running")
    if available >= needed:
        return ok("memory", f"{shown}; {mode} needs about {needed}")
    return warning(
        "memory",
        f"{shown}; {mode} needs about {needed}",
        "With less, the system ends processes in the middle of their work.",
        "Close something big, or give the virtual machine more.",
    )


def _read_memory() -> tuple[int | None, int]:
    """Give what is free and what there is, in MB; the limit of a container counts."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None, 0
    sizes = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines if ":" in line}
    available, total = sizes.get("MemAvailable"), sizes["MemTotal"]
    control = Path("/sys/fs/cgroup")
    try:
        limit = int((control / "memory.max").read_text()) // MEBIBYTE
        used = int((control / "memory.current").read_text()) // MEBIBYTE
    except (OSError, ValueError):  # no such limit: the file says "max"
        return available, total
    return min(available or limit, limit - used), min(total, limit)


def _disks() -> Iterator[Finding]:
    """Measure where the environments lie, and each other disk that has a part of the state."""
    installed = all(is_installed(name) for name in TO_RUN)
    needed = 500 if installed else NEEDED_MEGABYTES
    first, *others = file_systems(
        [LOCAL if LOCAL.exists() else ROOT, *holds_state(state_folders())]
    )
    full = [disk for disk in others if disk.is_full]
    if first.free < needed:
        who = "Data and logs" if installed else "The environments"
        yield error("disk", first.words, f"{who} below .local/ need {needed} MB.", first.remedy)
    for disk in full:
        cause = "What runs writes there, and ends halfway when it cannot."
        yield error("disk", disk.words, cause, disk.remedy)
    if first.free >= needed and not full:
        yield ok("disk", f"{first.free:,} MB free")


def _disk_of_docker(*, running: bool) -> Finding:
    """Look at the disk of the engine, which may be one of another machine."""
    place = find_data_folder()
    if place is None or not place.exists():
        return ok("disk", "Docker keeps its own; to see what it takes:   docker system df")
    free = shutil.disk_usage(place).free // MEBIBYTE
    needed = 500 if running else NEEDED_FOR_IMAGES
    if free >= needed:
        return ok("disk", f"{free:,} MB free in {place}")
    return warning(
        "disk",
        f"only {free} MB free in {place}",
        f"Images and volumes need about {needed} MB, the first time.",
        "What takes the room:   docker system df",
        "To remove what nothing uses:   docker builder prune",
    )


def _clock() -> Finding:
    """Compare with the last commit, which cannot be in the future; dbt Cloud is asked later."""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        behind = int(done.stdout) - time.time()
    except (OSError, subprocess.SubprocessError, ValueError):
        behind = 0.0
    if behind > DAY:
        return error(
            "clock",
            f"it is {behind / DAY:.0f} days behind the last commit",
            "Certificates, tokens and the times of runs depend on the clock.",
            "Switch on time synchronisation:   timedatectl set-ntp true",
        )
    return ok("clock", time.strftime("%Y-%m-%d %H:%M %Z"))


def _proxy(settings: StackSettings) -> Iterator[Finding]:
    # What else .env lacks is found by who reads it for its own sake.
    with suppress(UserError):
        if leaves_out_socks(read_connection(settings)):
            yield warning(
                "proxy",
                "Airflow cannot use the SOCKS proxy of this shell",
                "aiohttp, in its triggerer, speaks to HTTP proxies only, so dbt Cloud is reached "
                "directly.",
                "If there is a proxy that speaks HTTP:   HTTPS_PROXY=http://… make up",
                "If dbt Cloud is reached directly anyway:   unset HTTPS_PROXY ALL_PROXY",
            )


def _ports(settings: StackSettings, *, running: bool) -> Iterator[Finding]:
    ports = {
        "AIRFLOW_PORT": settings.airflow_port,
        "LOCAL_DBT_CLOUD_PORT": settings.local_dbt_cloud_port,
        "POSTGRES_PORT": settings.postgres_port,
    }
    if running:
        taken = ", ".join(str(port) for port in ports.values())
        yield ok("ports", f"{taken}: held by this stack")
        return
    strangers = [(name, port) for name, port in ports.items() if why_not_free(port)]
    for name, port in strangers:
        holder = who_listens(port)
        yield error(
            "ports",
            f"{port} is taken{f' by {holder}' if holder else ''}",
            f"{name} says {port}, and make up needs it.",
            f"In .env, for example:   {name}={port + 1}",
            f"Or stop {holder or 'the other program'}.",
        )
    if not strangers:
        yield ok("ports", f"{', '.join(str(port) for port in ports.values())} are free")
