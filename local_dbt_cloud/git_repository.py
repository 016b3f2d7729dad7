"""The git repository that holds a project's folder, when there is one."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


SECONDS_FOR_GIT = 60


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


def extract(folder: Path, revision: str, into: Path) -> str:
    """Write the folder as it was at a branch or commit; answer the commit's id."""
    commit = f"{revision}^{{commit}}"
    sha = git(folder, "rev-parse", "--verify", "--end-of-options", commit).decode().strip()
    archive = git(folder, "archive", "--format=tar", sha, ".")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(into, filter="data")
    return sha


def git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(str(error)) from None
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip())
    return done.stdout
