"""Git: the repository that holds a project's folder, and copies of those behind a URL."""

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_dbt_cloud.dbt.dbt_process import Invocation, inherited_process_env
from local_dbt_cloud.dbt.one_at_a_time import one_at_a_time
from local_dbt_cloud.dbt.project_files import extract_files


SECONDS_FOR_GIT = 60
SECONDS_TO_FETCH = 900
# Nobody is there to answer: what asks for a password must fail instead.
NEVER_ASK = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
# How to get at a repository. Not where one is: a shell inside a hook of git says that, and means
# another one (GIT_DIR and its kind).
FOR_GIT = re.compile(
    r"(?i:https?|no|all)_proxy|XDG_CONFIG_HOME|LD_LIBRARY_PATH|SSH_\w+"
    r"|GIT_(SSL|HTTP|SSH|ASKPASS|CONFIG|EXEC|PROXY|TRACE|CURL)\w*"
)
# A fetch tidies up, by itself in the background, where nobody would end it.
IN_FRONT = ("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false")
FETCHING: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class GitError(Exception):
    """What git said."""


def git_process_env() -> dict[str, str]:
    """Give what git gets of this server's own variables, among which are a token and passwords."""
    named = {name: value for name, value in os.environ.items() if FOR_GIT.fullmatch(name)}
    return inherited_process_env() | named | NEVER_ASK


@dataclass(frozen=True, slots=True)
class Commit:
    branch: str | None
    sha: str | None


@dataclass(frozen=True, slots=True)
class Git:
    """
    Git as a program of one run, which ends with the run, however long a server lets it wait.

    `run` starts it and answers whether it succeeded within so many seconds.
    """

    run: Callable[[Invocation, float], bool]
    ended: threading.Event

    def read_head(self, folder: Path) -> Commit:
        """The commit that is checked out; empty outside a repository and before the first one."""
        try:
            said = self._git(folder, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
        except GitError:
            return Commit(None, None)
        sha, branch = said.decode().split()
        return Commit(None if branch == "HEAD" else branch, sha)

    def extract(self, folder: Path, revision: str, into: Path, subfolder: str | None = None) -> str:
        """
        Write a folder as it was at a branch or commit; answer the commit's id.

        Raises `GitError`, and `OutsideError` for a link that leads out of the folder.

        In a mirror, which has no folders, `subfolder` names the one that is meant; "" is all.
        """
        commit = ("--verify", "--end-of-options", f"{revision}^{{commit}}")
        sha = self._git(folder, "rev-parse", *commit).decode().strip()
        what = [sha, "."] if subfolder is None else [f"{sha}:{subfolder}"]
        extract_files(self._git(folder, "archive", "--format=tar", *what), into)
        return sha

    def update_mirror(self, url: str, mirrors: Path) -> tuple[Path, str | None]:
        """
        Bring the copy of a repository up to date, or make it.

        Answer where it is and, when the repository could not be reached, why: the copy is then as
        it was the last time. Raise `GitError` when there is no copy either.
        """
        mirror = mirrors / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
        with one_at_a_time(FETCHING[mirror], self.ended) as is_our_turn:
            if not is_our_turn:
                raise GitError("the run has ended")
            if not mirror.is_dir():
                self._clone(url, mirror)
                return mirror, None
            fetch = ("fetch", "--quiet", "--prune", "origin")
            try:
                self._git(mirror, *fetch, seconds=SECONDS_TO_FETCH)
            except GitError as error:
                return mirror, str(error)
            return mirror, None

    def _clone(self, url: str, mirror: Path) -> None:
        """Clone beside it first: a clone that is killed leaves a folder that is no repository."""
        mirror.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=mirror.parent) as draft:
            clone = ("clone", "--quiet", "--mirror", "--end-of-options", url, "mirror.git")
            self._git(Path(draft), *clone, seconds=SECONDS_TO_FETCH)
            Path(draft, "mirror.git").rename(mirror)

    def _git(self, folder: Path, *arguments: str, seconds: float = SECONDS_FOR_GIT) -> bytes:
        if shutil.which("git") is None:
            raise GitError("git is not installed")
        with tempfile.TemporaryDirectory(prefix="git-") as said:
            output, errors = Path(said, "output"), Path(said, "errors")
            words = ["-C", str(folder), *IN_FRONT, *arguments]
            invocation = Invocation(words, Path.cwd(), git_process_env(), output, errors)
            if not self.run(invocation, seconds):
                why = errors.read_text(errors="replace").strip() if errors.exists() else ""
                raise GitError(why or f"git {arguments[0]} did not end in {seconds} seconds")
            return output.read_bytes()
