"""Whom the stack trusts: the usual ones, this machine, our own, and those of EXTRA_CA_FILE."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local_airflow.base.certificates import joined, of_this_machine


if TYPE_CHECKING:
    from local_airflow.stack.settings import StackSettings


def tls_context(settings: "StackSettings") -> ssl.SSLContext:
    """Trust what the system, the local dbt Cloud's bundle (once it is made) and the extra say."""
    context = ssl.create_default_context()
    for file in _own(settings):
        context.load_verify_locations(cafile=str(file))
    return context


@contextmanager
def trusted_file(settings: "StackSettings") -> Iterator[Path | None]:
    """Give one file with all that is to be trusted, for libraries that take a file; or None."""
    files = _own(settings)
    if not files:
        yield None
        return
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(joined([*files, *of_this_machine()]))
        file.flush()
        yield Path(file.name)


def write_trusted(settings: "StackSettings") -> None:
    """
    Write the file of certificates that the stack's processes trust.

    The bundle, which the certificates of the local dbt Cloud come with, has the usual authorities.
    """
    settings.tls_bundle.write_bytes(joined([*_own(settings), *of_this_machine()]))


def _own(settings: "StackSettings") -> list[Path]:
    files = (settings.folders.tls / "bundle.pem", settings.extra_ca_file)
    return [file for file in files if file is not None and file.exists()]
