"""The clone: secrets that only you can read, no token in git, line endings that Linux takes."""

import re
import subprocess
import time
from collections.abc import Iterator

from local_airflow.base.folders import ROOT, StateFolders, shown
from local_airflow.base.private_file import OTHERS
from local_airflow.doctor.findings import Finding, error, ok, skipped, warning
from local_airflow.stack.settings import StackSettings


# Random ones only: a word such as dbtc_the-token-of-a-test has no digit or no capital letter.
TOKEN = re.compile(
    rb"\bdbt[cu]_(?!local_)(?=[A-Za-z0-9_=-]*[0-9])(?=[a-z0-9_=-]*[A-Z])[A-Za-z0-9_=-]{32,}"
)
SECONDS_FOR_HISTORY = 10
MUST_HAVE_LF = ("*.sh", "*.py", "Makefile", "Dockerfile", ".ci/run", "*.yml", "*.yaml", "*.lock")


def examine(settings: StackSettings | None) -> list[Finding]:
    token = settings.dotenv["DBT_CLOUD_API_TOKEN"].encode() if settings else b""
    secrets = _secrets(settings.folders) if settings else []
    if _git("rev-parse", "--is-inside-work-tree") is None:
        return [*secrets, skipped("git", "this folder is no git repository")]
    return [*secrets, _ignored(), *_tokens(token), _line_endings()]


def _secrets(folders: StateFolders) -> list[Finding]:
    private = [*folders.secrets.glob("*"), *folders.tls.glob("*.key")]
    private += [file for file in [folders.airflow_home / "passwords.json"] if file.exists()]
    if not private:
        return [skipped("secrets", "not made yet: make up makes them")]
    open_ones = [file for file in private if file.stat().st_mode & OTHERS]
    if not open_ones:
        return [ok("secrets", f"{len(private)} files that only you can read")]
    return [
        error(
            "secrets",
            f"others on this machine can read {len(open_ones)} of them",
            ", ".join(shown(file) for file in open_ones[:3]),
            f"chmod 600 {' '.join(shown(file) for file in open_ones)}",
        )
    ]


def _ignored() -> Finding:
    if _git("ls-files", "--error-unmatch", ".env") is not None:
        return error(
            "git",
            ".env is in the repository",
            "Everybody who clones it gets what is in there, now and from the history.",
            "git rm --cached .env",
            "If it ever had a token, make a new one in dbt Cloud and delete the old one.",
        )
    if _git("check-ignore", "--quiet", ".env") is None:
        return warning(
            "git",
            "git does not ignore .env",
            "A careless `git add` would publish your token.",
            "echo .env >> .gitignore",
        )
    return ok("git", ".env is ignored")


def _tokens(token: bytes) -> Iterator[Finding]:
    """Look for tokens in what git tracks, and in all that it ever tracked."""
    now = _git("grep", "-I", "--name-only", "--extended-regexp", r"dbt[cu]_[A-Za-z0-9_=-]{32,}")
    files = [name for name in (now or b"").decode().splitlines() if _has_token(name, token)]
    if files:
        yield error(
            "token in git",
            f"what looks like a token of dbt Cloud is in {', '.join(files[:3])}",
            "Everybody who can read the repository can use it.",
            "Take it out, make a new one in dbt Cloud and delete the old one.",
        )
        return
    commit, complete = _search_history(token)
    if commit:
        yield error(
            "token in git",
            f"what looks like a token of dbt Cloud was added by commit {commit}",
            "It is still in the history, for everybody who clones it.",
            "Make a new one in dbt Cloud and delete the old one: history is hard to take back.",
        )
    else:
        looked = "nowhere in what git keeps" if complete else "not in the newest commits"
        yield ok("token in git", looked)


def _has_token(name: str, token: bytes) -> bool:
    try:
        content = (ROOT / name).read_bytes()
    except OSError:
        return False
    return bool(TOKEN.search(content)) or (bool(token) and token in content)


def _search_history(token: bytes) -> tuple[str, bool]:
    """Read every change, the newest first, for as long as a reader would wait."""
    command = ["git", "log", "--all", "--patch", "--unified=0", "--no-color", "--format=commit %h"]
    deadline, commit = time.monotonic() + SECONDS_FOR_HISTORY, ""
    # The token stays in this process: as an argument, everybody on the machine could read it.
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as log:
        for line in log.stdout or ():
            if line.startswith(b"commit "):
                commit = line.split()[1].decode()
                if time.monotonic() > deadline:
                    log.kill()
                    return "", False
            elif line.startswith(b"+") and (TOKEN.search(line) or (token and token in line)):
                log.kill()
                return commit, True
    return "", True


def _line_endings() -> Finding:
    listed = _git("ls-files", "--eol", "--", *MUST_HAVE_LF) or b""
    wrong = [line.split(b"\t")[1].decode() for line in listed.splitlines() if b"w/crlf" in line]
    if wrong:
        return error(
            "line endings",
            f"{len(wrong)} files have those of Windows, for example {wrong[0]}",
            "A shell on Linux stumbles over them. git turned them when it checked the files out.",
            "git config core.autocrlf input",
            "git rm --cached -r . && git reset --hard   (first commit what you changed)",
        )
    return ok("line endings", "as Linux wants them")


def _git(*arguments: str) -> bytes | None:
    """Give what git prints, or None when it says no or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
