"""
The state folder of the local dbt Cloud as one tar file, also while it is in use.

    python -m local_airflow.base.state_archive write <folder>   to stdout
    python -m local_airflow.base.state_archive read <folder>    from stdin, replacing what is there
"""

import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dbt_cloud_api.user_error import UserError


SQLITE = b"SQLite format 3\0"
# The other versions of dbt that jobs have asked for.
INSTALLED = "dbt_environments"


def write_archive(folder: Path, stream: BinaryIO) -> None:
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for file in sorted(_data(folder)):
            name = str(file.relative_to(folder))
            if _is_database(file):
                _add_database(archive, file, name)
            else:
                archive.add(file, name)


def _data(folder: Path) -> Iterator[Path]:
    """Give the files that are data: what is installed there is made anew where it is missing."""
    for path in folder.rglob("*"):
        is_installed = path.relative_to(folder).parts[0] == INSTALLED
        # Part of the database beside it, which is copied as a whole.
        is_part = path.name.endswith(("-wal", "-shm"))
        if path.is_file() and not (path.is_symlink() or is_installed or is_part):
            yield path


def _is_database(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(SQLITE)) == SQLITE


def _add_database(archive: tarfile.TarFile, file: Path, name: str) -> None:
    # SQLite's own copy is consistent whatever is being written meanwhile.
    with tempfile.NamedTemporaryFile() as copy:
        with (
            closing(sqlite3.connect(file)) as source,
            closing(sqlite3.connect(copy.name)) as target,
        ):
            source.backup(target)
        archive.add(copy.name, name)


def read_archive(folder: Path, stream: BinaryIO) -> None:
    """
    Replace what is in the folder. Raises `UserError` for an archive that is none of ours.

    Only regular files with plain names are written: a link in it, or a name that leads out, could
    overwrite any file of yours, and `tarfile`'s own filter has let some through.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            target = folder / _plain(member)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            with target.open("wb") as file:
                shutil.copyfileobj(content or BytesIO(), file)


def _plain(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if member.isfile() and not path.is_absolute() and ".." not in path.parts:
        return path
    raise UserError(
        "this archive is no snapshot of this project",
        f"It holds {member.name!r}, which is no regular file with a plain name.",
        ("Restore another snapshot:   make restore NAME=…",),
    )


def main() -> int:
    match sys.argv[1:]:
        case ["write", folder]:
            write_archive(Path(folder), sys.stdout.buffer)
        case ["read", folder]:
            read_archive(Path(folder), sys.stdin.buffer)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
