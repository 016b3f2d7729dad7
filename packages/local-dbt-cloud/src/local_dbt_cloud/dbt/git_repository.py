"""Git: the repository that holds a project's folder, and copies of those behind a URL."""

import hashlib
import os
import subprocess
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from local_dbt_cloud.dbt.project_files import extract_files


SECONDS_FOR_GIT = 60
SECONDS_TO_FETCH = 900
# Nobody is there to answer: what asks for a password must fail instead.
NEVER_ASK = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
FETCHING: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class GitError(Exception):
    """What git said."""


@dataclass(frozen=True, slots=True)
class Commit:
    branch: str | None
    sha: str | None


def read_head(folder: Path) -> Commit:
    """The commit that is checked out; empty outside a repository and before the first commit."""
    try:
        sha = git(folder, "rev-parse", "--verify", "HEAD").decode().strip()
        branch = git(folder, "rev-parse", "--abbrev-ref", "HEAD").decode().strip()
    except GitError:
        return Commit(None, None)
    return Commit(None if branch == "HEAD" else branch, sha)


def extract(folder: Path, revision: str, into: Path, subfolder: str | None = None) -> str:
    """
    Write a folder as it was at a branch or commit; answer the commit's id.

    Raises `GitError`, and `OutsideError` for a link that leads out of the folder.

    In a mirror, which has no folders, `subfolder` names the one that is meant; "" is all.
    """
    commit = f"{revision}^{{commit}}"
    sha = git(folder, "rev-parse", "--verify", "--end-of-options", commit).decode().strip()
    what = [sha, "."] if subfolder is None else [f"{sha}:{subfolder}"]
    archive = git(folder, "archive", "--format=tar", *what)
    extract_files(archive, into)
    return sha


def update_mirror(url: str, mirrors: Path) -> tuple[Path, str | None]:
    """
    Bring the copy of a repository up to date, or make it.

    Answer where it is and, when the repository could not be reached, why: the copy is then as it
    was the last time. Raise `GitError` when there is no copy either.
    """
    mirror = mirrors / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
    with FETCHING[mirror]:
        if not mirror.is_dir():
            mirrors.mkdir(parents=True, exist_ok=True)
            clone = ("clone", "--quiet", "--mirror", "--end-of-options", url, str(mirror))
            git(mirrors, *clone, seconds=SECONDS_TO_FETCH)
            return mirror, None
        try:
            git(mirror, "fetch", "--quiet", "--prune", "origin", seconds=SECONDS_TO_FETCH)
        except GitError as error:
            return mirror, str(error)
        return mirror, None


def git(folder: Path, *arguments: str, seconds: int = SECONDS_FOR_GIT) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            env=os.environ | NEVER_ASK,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(str(error)) from None
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip())
    return done.stdout
