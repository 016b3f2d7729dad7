"""
Keep the data of the stack under a name, and bring them back.

    .local/snapshots/<name>/
        about.json         the mode it was taken in, and when
        airflow.dump       pg_dump's custom format, as warehouse.dump
        warehouse.dump
        dbt_cloud.tar      what the local dbt Cloud remembers: runs, logs, artifacts
        fernet_key         without it, nobody could read the connections in airflow.dump
"""

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import shown, state_folders
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.questions import agrees_to_lose_data
from local_airflow.running.mode_choice import current
from local_airflow.stack.mode import Mode, not_running
from local_airflow.stack.settings import load_settings


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DATABASES = ("airflow", "warehouse")


def take(name: str) -> int:
    folder = _folder(name)
    mode = current(load_settings())
    if not mode.is_running():
        raise not_running(mode)
    if folder.exists():
        raise UserError(
            f"there is a snapshot {name} already",
            f"It is in {shown(folder)}.",
            ("Choose another name", f"or delete it:   rm -r {shown(folder)}"),
        )
    with ProgressLine(f"keeping the data as {name}") as line:
        _keep(mode, folder, lambda what: setattr(line, "detail", what))
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1024**2
    print(f"{shown(folder)}: {size:.1f} MB in {line.seconds:.1f} s")
    return 0


def _keep(mode: Mode, folder: Path, tell: Callable[[str], None]) -> None:
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    for database in DATABASES:
        tell(f"database {database}")
        mode.dump_database(database, unfinished / f"{database}.dump")
    if mode.settings.is_local:
        tell("the local dbt Cloud's runs")
        mode.archive_state(unfinished / "dbt_cloud.tar")
    (unfinished / "fernet_key").touch(mode=0o600)
    (unfinished / "fernet_key").write_text(mode.settings.secrets.fernet_key, encoding="ascii")
    about = {"mode": mode.name, "taken_at": datetime.now(UTC).isoformat(timespec="seconds")}
    (unfinished / "about.json").write_text(json.dumps(about), encoding="utf-8")
    unfinished.rename(folder)


def bring_back(name: str, start: Callable[[], int]) -> int:
    """Replace the data by a snapshot's, and start again."""
    folder, mode = _folder(name), current(load_settings())
    if not (folder / "about.json").exists():
        names = sorted(file.parent.name for file in folder.parent.glob("[!.]*/about.json"))
        raise UserError(
            f"there is no snapshot {name}",
            f"There are: {', '.join(names) or 'none yet'}.",
            ("make snapshot NAME=before",),
        )
    _check_mode(folder, mode)
    again = f"make restore NAME={name}"
    if not agrees_to_lose_data(f"Replace {mode.describe_data()}?", again):
        print("nothing was changed")
        return 1
    with ProgressLine(f"bringing {name} back"):
        mode.bring_back(folder)
    return start()


def _check_mode(folder: Path, mode: Mode) -> None:
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    if about["mode"] != mode.name:
        raise UserError(
            f"that snapshot was taken with MODE={about['mode']}",
            f"Now MODE={mode.name} runs, whose PostgreSQL is another version.",
            (f"In .env:   MODE={about['mode']}   then   make up",),
        )


def _folder(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name} is no name for a snapshot" if name else "which snapshot?",
            "A name has letters, digits, dots, - and _.",
            ("make snapshot NAME=before",),
        )
    return state_folders().root.parent / "snapshots" / name
