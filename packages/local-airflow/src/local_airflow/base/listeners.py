"""Whether a port of this machine is free, and who listens there, as far as Linux tells you."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


LISTENING = "0A"
# What `localhost` may mean, and a browser tries the second first.
THIS_MACHINE = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def why_not_free(port: int) -> str:
    """Give the system's words for why nobody can listen on a port now; empty when one can."""
    for family, address in THIS_MACHINE.items():
        try:
            with socket.socket(family) as probe:
                # What the last start has just closed is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in NO_IPV6:
                continue
            return error.strerror or str(error)
    return ""


def who_listens(port: int) -> str | None:
    """Name the program and its process id, such as `postgres (process 812)`; None if unknown."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        # A stranger's process hides its open files, and any process may end meanwhile.
        with suppress(OSError):
            if inodes & set(open_files(process)):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def open_files(process: Path) -> Iterator[str]:
    """Name the files that a process has open; raise `OSError` for one that may not be asked."""
    for file in (process / "fd").iterdir():
        # One that is closed meanwhile must not hide the others.
        with suppress(OSError):
            yield str(file.readlink())


def listener_uid(port: int) -> int | None:
    """Give the user whose process listens on a port; None when nobody does."""
    return next((int(fields[7]) for fields in _listening(port)), None)


def _listening_inodes(port: int) -> set[str]:
    return {fields[9] for fields in _listening(port)}


def _listening(port: int) -> Iterator[list[str]]:
    """Give the lines of Linux's tables of sockets that are about who listens on a port."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                local_port, state = fields[1].rpartition(":")[2], fields[3]
                if state == LISTENING and int(local_port, 16) == port:
                    yield fields
