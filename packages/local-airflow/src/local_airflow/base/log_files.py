"""Logs that lie in a folder, a file for each part: those of processes, and of containers gone."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dbt_cloud_api.user_error import UserError


# `docker compose logs` puts the container in front, `scheduler-1  | …`, and some versions an escape
# sequence before that, for a terminal that is none.
OF_A_CONTAINER = re.compile(
    r"(?:\x1b\[[0-9;?]*[A-Za-z])*(?P<service>[\w-]+?)-\d+ +\| ?(?P<line>.*)"
)


def last_lines(folder: Path, part: str, count: int) -> str:
    file = folder / f"{part}.log"
    if not file.exists():
        return "  (it wrote no log)"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join(f"  {line}" for line in lines)


def show(folder: Path, part: str | None, lines: int, *, following: bool) -> int:
    files = sorted(folder.glob("*.log"))
    names = [file.stem for file in files]
    if part and part not in names:
        raise UserError(
            f"there is no log of {part}",
            f"There are logs of: {', '.join(names) or 'nothing yet'}.",
            ("make logs S=scheduler",),
        )
    chosen = [str(file) for file in files if part in {None, file.stem}]
    if not chosen:
        print("there is no log yet; to start:   make up")
        return 0
    tail = ["tail", f"--lines={lines}", *(["--follow=name"] if following else []), *chosen]
    return subprocess.run(tail, check=False).returncode


def keep(folder: Path, said: Iterable[str]) -> None:
    """Write what containers said into files by service: with the containers, it would be gone."""
    logs: dict[str, list[str]] = {}
    for line in said:
        found = OF_A_CONTAINER.fullmatch(line)
        if found:
            logs.setdefault(found["service"], []).append(found["line"])
    for service, kept in logs.items():
        text = "\n".join(kept) + "\n"
        (folder / f"{service}.log").write_text(text, encoding="utf-8", errors="replace")
