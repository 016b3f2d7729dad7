"""
The files of a project as a run gets them: regular ones, nothing of what lies outside.

A link is taken for what it leads to, as long as that is in the project. dbt would read any other
file as a model or a seed, and its text would be in the artifacts.
"""

import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path, PurePosixPath
from typing import Any

import yaml


Ignore = Callable[[str, list[str]], set[str]]
# Links that lead to folders with links make millions of files out of a few.
MOST_FILES, MOST_LINKS = 100_000, 5_000
# What dbt_project.yml calls the folders that dbt reads, fills or empties; the name of a package is
# one of them. The other two are the server's (`dbt_settings`).
NAMES_A_PATH = re.compile(r"name|(?!target|log).+[-_]paths?")
ENV_VAR = re.compile(
    r"\{\{\s*env_var\(\s*['\"](\w+)['\"]\s*(?:,\s*['\"]([^'\"]*)['\"]\s*)?\)\s*\}\}"
)


class OutsideError(Exception):
    """A link, or a name, that leads out of the project."""

    def __init__(self, name: str, to: str) -> None:
        super().__init__(
            f"{name} leads out of the project, to {to}. "
            "A run reads files of its project only: put a copy there, or take it away."
        )


def copy_folder(source: Path, into: Path, ignore: Ignore) -> None:
    """Copy a folder as it is now. Raises `OutsideError`, and then nothing is copied."""
    root = source.resolve()
    links = count()
    files = list(islice(_files(root, root, ignore, (root,), links), MOST_FILES + 1))
    if len(files) > MOST_FILES or next(links) > MOST_LINKS:
        raise OutsideError("One of its links", f"more than {MOST_FILES} files")
    for real, name in files:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(real, target)


def _files(
    folder: Path, root: Path, ignore: Ignore, around: tuple[Path, ...], links: Iterator[int]
) -> Iterator[tuple[Path, PurePosixPath]]:
    """
    Give every regular file with its name below the folder; `around` are the folders above.

    `links` counts them; with too many of them, the rest is left out.
    """
    names = os.listdir(folder)  # noqa: PTH208 - names are what is ignored
    for name in sorted({*names} - ignore(str(folder), names)):
        path = folder / name
        is_link = path.is_symlink()
        if is_link and next(links) > MOST_LINKS:
            return
        real = _real(path, root, ignore, around) if is_link else path
        if real.is_file():
            yield real, PurePosixPath(name)
        elif real.is_dir():
            below = _files(real, root, ignore, (*around, real), links)
            yield from ((file, name / inner) for file, inner in below)


def _real(link: Path, root: Path, ignore: Ignore, around: tuple[Path, ...]) -> Path:
    real = _inside(link, root)
    # A folder around it would be copied for ever; what a run does not get, it gets by no link.
    if real in around or _is_ignored(real, root, ignore):
        raise _outside(link, root)
    return real


def _inside(link: Path, root: Path) -> Path:
    """Give what a link leads to; raise `OutsideError` where that is, or may be, outside."""
    try:
        real = link.resolve(strict=True)
    except FileNotFoundError:  # it leads nowhere yet
        real = link.resolve()
    except (OSError, RuntimeError):  # to each other, or so far that only the kernel can follow
        raise _outside(link, root) from None
    if not real.is_relative_to(root):
        raise _outside(link, root)
    return real


def _outside(link: Path, root: Path) -> OutsideError:
    to = os.readlink(link)  # noqa: PTH115 # a text, as it stands there
    return OutsideError(str(link.relative_to(root)), to)


def _is_ignored(path: Path, root: Path, ignore: Ignore) -> bool:
    return any(ignore(str(root), [part]) for part in path.relative_to(root).parts)


def extract_files(archive: bytes, into: Path) -> None:
    """
    Write what `git archive` gives. Raises `OutsideError` for what is not inside.

    Links are made when all files are written, so that none is written through one: `tarfile`'s own
    filter has let chains of links through in several releases of Python.
    """
    with (
        tempfile.TemporaryDirectory(dir=into.parent) as draft,
        tarfile.open(fileobj=io.BytesIO(archive)) as tar,
    ):
        root = Path(draft).resolve()
        members = list(tar)
        for member in members:
            if member.isfile():
                _write(tar, member, root / inside(member.name))
        for member in members:
            if member.issym() or member.islnk():
                _link(member, root)
        copy_folder(root, into, lambda *_: set())


def inside(name: str) -> PurePosixPath:
    """Give a name in an archive as a path below a folder; raise `OutsideError` if it is none."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise OutsideError(name, "outside")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    target.write_bytes(content.read() if content else b"")


def _link(member: tarfile.TarInfo, root: Path) -> None:
    link = root / inside(member.name)
    # git makes no hard links, and nothing below a link or in the place of something else.
    if member.islnk() or link.exists() or link.parent != link.parent.resolve():
        raise OutsideError(member.name, member.linkname)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(member.linkname)


def check_project(project: Path, process_env: Mapping[str, str]) -> None:
    """
    Raise `OutsideError` where dbt would be led out: by a link, or by a path in dbt_project.yml.

    For every command anew: packages come with `dbt deps`, and have both.
    """
    root = project.resolve()
    for folder, below, names in os.walk(root):
        for path in (Path(folder, name) for name in (*below, *names)):
            if path.is_symlink():
                _inside(path, root)
        if "dbt_project.yml" in names:
            _check_paths(Path(folder, "dbt_project.yml"), root, process_env)


def _check_paths(file: Path, root: Path, process_env: Mapping[str, str]) -> None:
    for key, named in _paths(file, process_env):
        if named.startswith(("/", "~")) or ".." in named.split("/"):
            raise OutsideError(f"{key} of {file.relative_to(root)}", named)
        if "{" in named:  # only dbt can tell
            raise OutsideError(f"{key} of {file.relative_to(root)}", f"wherever {named} is")


def _paths(file: Path, process_env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        content: Any = yaml.safe_load(file.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # dbt says what is wrong with it
    for key, value in content.items() if isinstance(content, dict) else ():
        if NAMES_A_PATH.fullmatch(str(key)):
            for path in value if isinstance(value, list) else [value]:
                known = ENV_VAR.sub(
                    lambda found: process_env.get(found[1], found[2] or ""), str(path)
                )
                yield str(key), known
