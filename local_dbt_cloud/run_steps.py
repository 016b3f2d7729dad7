"""The text of a step, turned into a command; whatever is not dbt is refused."""

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise


COMMANDS = frozenset(
    {
        "build", "clean", "clone", "compile", "debug", "deps", "docs generate", "list", "ls",
        "parse", "retry", "run", "run-operation", "seed", "show", "snapshot",
        "source freshness", "test",
    }
)  # fmt: skip
# What `dbt retry` can take up again, by the API's own list.
RETRYABLE = frozenset(
    {
        "build", "clone", "compile", "docs generate", "retry", "run", "run-operation", "seed",
        "snapshot", "test",
    }
)  # fmt: skip
TWO_WORDS = frozenset({"docs", "source"})
# The server keeps logs, artifacts and profiles in folders of its own: a step that moves them
# would lose its results, or read and write outside the run.
REFUSED_OPTIONS = frozenset(
    {
        "--log-path", "--profiles-dir", "--project-dir", "--target-path", "--profile",
        # With it, `dbt clean` deletes folders out of the project.
        "--no-clean-project-files-only",
    }
)  # fmt: skip
PATH_OPTIONS = frozenset({"--defer-state", "--state"})
SHELL_SYNTAX = frozenset(";&|<>`\n\r\0")
# Values may stand before the subcommand, as in `dbt --log-level debug build`.
GLOBAL_VALUE_OPTIONS = re.compile(
    r"--(log-(level|format)(-file)?|printer-width|warn-error-options)"
)


class StepRefusedError(ValueError):
    """The text of a step is not a dbt command that may run; says why."""


@dataclass(frozen=True, slots=True)
class DbtCommand:
    """`arguments` is all behind `dbt`; `name` the subcommand, `docs generate` with both words."""

    text: str
    arguments: tuple[str, ...]
    name: str

    @property
    def can_be_retried(self) -> bool:
        return self.name in RETRYABLE


def parse_command(text: str) -> DbtCommand:
    """Read a step such as `dbt build --select tag:daily`; raise `StepRefusedError`."""
    text = text.strip()
    refuse_shell_syntax(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise StepRefusedError(f"'{text}' cannot be read: {error}.") from None
    if not words or words[0] != "dbt":
        raise StepRefusedError(f"'{text}' is not a dbt command: it must start with 'dbt'.")
    name = find_name(words[1:])
    if name not in COMMANDS:
        raise StepRefusedError(f"'{text}' is not a dbt command that a job can run.")
    refuse_paths_out_of_the_project(text, words[1:])
    return DbtCommand(text, tuple(words[1:]), name)


def find_name(words: list[str]) -> str:
    previous = ""
    for index, word in enumerate(words):
        if word.startswith("-") or GLOBAL_VALUE_OPTIONS.fullmatch(previous):
            previous = word
            continue
        return " ".join(words[index : index + 2]) if word in TWO_WORDS else word
    return ""


def refuse_shell_syntax(text: str) -> None:
    quote = ""
    for character, following in pairwise(text + " "):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in SHELL_SYNTAX or (character == "$" and following in "({"):
            raise StepRefusedError(
                f"'{text}' uses shell syntax ({character!r}); there is no shell."
            )


def refuse_paths_out_of_the_project(text: str, words: list[str]) -> None:
    for word, following in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option in REFUSED_OPTIONS:
            raise StepRefusedError(f"'{text}' sets {option}, which belongs to the server.")
        path = value if equals else following
        if option in PATH_OPTIONS and (path.startswith(("/", "~")) or ".." in path.split("/")):
            raise StepRefusedError(f"'{text}' reads {path}, which is out of the project.")


def invocation_name(command: str) -> str:
    """How dbt Cloud titles a step; OpenLineage finds the command in it with a regex."""
    return f"Invoke dbt with `{command}`"


def profile_step_name(connection: str, schema_override: str | None) -> str:
    suffix = f" (override schema to '{schema_override}')" if schema_override else ""
    return f"Create profile from connection {connection}{suffix}"
