"""Files for their owner only, such as `.env`, which may hold a token."""

import os
import stat
from contextlib import suppress
from pathlib import Path


OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_private(file: Path, content: bytes) -> None:
    """Write a new file that nobody else could read at any moment."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def make_private(file: Path) -> str:
    """Take the access of others away; give the mode that it had, or nothing when all is well."""
    before = file.stat().st_mode
    if before & OTHERS:
        # Somebody else's file stays as it is: make doctor names it.
        with suppress(PermissionError):
            file.chmod(stat.S_IMODE(before) & ~OTHERS)
            return stat.filemode(before)
    return ""
