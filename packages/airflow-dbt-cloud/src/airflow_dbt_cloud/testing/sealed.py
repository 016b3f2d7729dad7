"""Read DAG files as Airflow does, while nothing gets out: no socket, database, child process."""

import _socket
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from airflow.dag_processing.dagbag import DagBag
from sqlalchemy.engine import Engine


class ReachedOutError(Exception):
    """A DAG file talked to a server, a database or another program while it was read."""


def _refuse(*arguments: object, **_: object) -> None:
    raise ReachedOutError(arguments)


@contextmanager
def sealed() -> Iterator[None]:
    """
    Refuse whatever leads out of this process.

    What is replaced are methods, and a function of C that only Python's own `socket` calls: a
    module that is first imported behind the seal, and takes `Popen` by its name, would otherwise
    keep the refusal for good.
    """
    with (
        mock.patch.object(socket.socket, "connect", _refuse),
        mock.patch.object(_socket, "getaddrinfo", _refuse),
        mock.patch.object(subprocess.Popen, "__init__", _refuse),
        mock.patch.object(Engine, "connect", _refuse),
    ):
        yield


def read(folder: Path) -> DagBag:
    """Every DAG of a folder, read behind the seal."""
    # Airflow keeps the last two lines of a trace; the line of the file itself is further up.
    depth = {"AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "50"}
    with sealed(), mock.patch.dict(os.environ, depth):
        return DagBag(folder)


def line_of_error(trace: str, file: Path) -> int:
    """Where in the file its own import error began."""
    lines = re.findall(rf'File "{re.escape(str(file))}", line (\d+)', trace)
    return int(lines[0]) if lines else 1


def seconds_to_load(folder: Path) -> dict[Path, float]:
    """
    How much work each file is for a process that has imported Airflow and nothing else.

    Seconds of the processor, not of the clock: those of a busy machine say nothing about a DAG.
    """
    program = (
        "import airflow, sys, time; from airflow.dag_processing.dagbag import DagBag\n"
        "for file in sys.argv[1:]:\n"
        "    began = time.process_time(); DagBag(file)\n"
        "    print('took', time.process_time() - began, file)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, sorted(folder.glob("*.py")))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    rows = re.findall(r"^took ([\d.e-]+) (.+)$", done.stdout, re.MULTILINE)
    return {Path(file): float(seconds) for seconds, file in rows}
