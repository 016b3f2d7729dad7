"""
The files of a project as a run gets them: regular ones, nothing of what lies outside.

A link is taken for what it leads to, as long as that is in the project. dbt would read any other
file as a model or a seed, and its text would be in the artifacts.
"""

import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath


Ignore = Callable[[str, list[str]], set[str]]


class OutsideError(Exception):
    """A link, or a name in an archive, that leads out of the project."""

    def __init__(self, name: str, to: str) -> None:
        super().__init__(
            f"{name} leads out of the project, to {to}. "
            "A run reads files of its project only: put a copy there, or take it away."
        )


def copy_folder(source: Path, into: Path, ignore: Ignore) -> None:
    """Copy a folder as it is now. Raises `OutsideError`, and then nothing is copied."""
    root = source.resolve()
    kept = list(_walk(root, ignore))
    for path in kept:
        if path.is_symlink():
            _check_link(path, root)
    left_out = {str(path) for path in kept if not (path.is_file() or path.is_dir())}

    def leave_out(folder: str, names: list[str]) -> set[str]:
        odd = {name for name in names if str(Path(folder, name)) in left_out}
        return ignore(folder, names) | odd

    shutil.copytree(root, into, ignore=leave_out, dirs_exist_ok=True)


def _walk(root: Path, ignore: Ignore) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        ignored = ignore(folder, [*below, *names])
        below[:] = [name for name in below if name not in ignored]
        yield from (Path(folder, name) for name in [*below, *names] if name not in ignored)


def _check_link(link: Path, root: Path) -> None:
    try:
        real = link.resolve()
    except (OSError, RuntimeError):  # links that lead to each other
        real = link.parent
    # One that leads to a folder around it would be copied for ever.
    if not real.is_relative_to(root) or link.is_relative_to(real):
        raise OutsideError(str(link.relative_to(root)), os.readlink(link))  # noqa: PTH115 # a text, as it stands there


def extract_files(archive: bytes, into: Path) -> None:
    """
    Write what `git archive` gives. Raises `OutsideError` for what is not inside.

    No link is ever made, so that no later name can lead through one: `tarfile`'s own filter has
    let chains of links through in several releases of Python.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = list(tar)
        for member in members:
            if member.isfile() or member.isdir():
                _write(tar, member, into / inside(member.name))
    _copy_linked([member for member in members if member.issym() or member.islnk()], into)


def inside(name: str) -> PurePosixPath:
    """Give a name in an archive as a path below a folder; raise `OutsideError` if it is none."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise OutsideError(name, "outside")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    target.write_bytes(content.read() if content else b"")


def _copy_linked(links: Iterable[tarfile.TarInfo], into: Path) -> None:
    """Put what they lead to where links are; one may lead to another, so in as many rounds."""
    waiting = {inside(link.name): _target(link) for link in links}
    while waiting:
        ready = [name for name, target in waiting.items() if (into / target).exists()]
        if not ready:
            return  # what is left leads nowhere
        for name in ready:
            source, copy = into / waiting.pop(name), into / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, copy)


def _target(link: tarfile.TarInfo) -> PurePosixPath:
    folder = "" if link.islnk() else posixpath.dirname(link.name)
    target = PurePosixPath(posixpath.normpath(posixpath.join(folder, link.linkname)))
    leads_around = PurePosixPath(link.name).is_relative_to(target)
    if target.is_absolute() or ".." in target.parts or leads_around:
        raise OutsideError(link.name, link.linkname)
    return target
