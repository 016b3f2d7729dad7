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
from contextlib import closing
from pathlib import Path
from typing import BinaryIO


SQLITE = b"SQLite format 3\0"


def write_archive(folder: Path, stream: BinaryIO) -> None:
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            if file.name.endswith(("-wal", "-shm")):
                continue  # part of the database beside it, which is copied as a whole
            name = str(file.relative_to(folder))
            if _is_database(file):
                _add_database(archive, file, name)
            else:
                archive.add(file, name)


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
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(folder, filter="data")


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
