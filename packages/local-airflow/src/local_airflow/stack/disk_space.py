"""How much room there is where the state lies: each of its folders may be a disk of its own."""

import errno
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import StateFolders, shown


# PostgreSQL takes 16 MB at once, twice when it recovers; others need a little beside it.
FULL_BELOW = 64
MEBIBYTE = 1024**2
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system. `folder` is what we have in it, `free` is in MB, for everybody but root."""

    folder: Path
    free: int

    @property
    def words(self) -> str:
        return f"only {self.free} MB free in {shown(self.folder)}"

    @property
    def is_full(self) -> bool:
        return self.free < FULL_BELOW

    @property
    def remedy(self) -> str:
        inside = f"du --max-depth=2 --human-readable {quote(shown(self.folder))}"
        return f"What takes the room:   {inside}"


def holds_state(folders: StateFolders) -> tuple[Path, ...]:
    """List the folders that grow, each of which may be a link to another disk, or a mount."""
    cloud = folders.dbt_cloud
    return folders.root, folders.postgres, folders.logs, cloud, cloud / "runs", folders.processes


def file_systems(folders: Iterable[Path]) -> list[Disk]:
    """Measure each once, by the first of its folders; nothing for what is not there yet."""
    found: dict[int, Disk] = {}
    for folder in folders:
        with suppress(OSError):
            device = folder.stat().st_dev
            if device not in found:
                found[device] = Disk(folder, shutil.disk_usage(folder).free // MEBIBYTE)
    return list(found.values())


def full_disks(folders: StateFolders) -> list[Disk]:
    return [disk for disk in file_systems(holds_state(folders)) if disk.is_full]


def no_room(full: list[Disk], cause: str) -> UserError:
    """Say which disks are full, and `cause`; none is named where it is one without our state."""
    named = ", ".join(disk.words for disk in full)
    return UserError(
        f"the disk is full{f': {named}' if named else ''}",
        cause,
        (*(disk.remedy for disk in full), "Make room, then:   make up"),
    )
