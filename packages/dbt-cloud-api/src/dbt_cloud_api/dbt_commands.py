"""
The grammar of dbt's command line: the subcommand, the options around it, and what they mean.

`read_command` reads what was run, whatever it is; `allowed_command` refuses what no job may run.
The options are those of every subcommand's `--help`, of dbt 1.7 to 1.11 and of dbt 2.
"""

import re
import shlex
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


# The subcommands whose name is two words.
GROUPS = frozenset({"docs", "source"})
# What a job may run: all but what asks (init) and what never ends (docs serve).
COMMANDS = frozenset(
    {
        *("build", "clean", "clone", "compile", "debug", "deps", "docs generate", "list", "ls"),
        *("parse", "retry", "run", "run-operation", "seed", "show", "snapshot"),
        *("source freshness", "test"),
    }
)
# `dbt docs generate` writes a run_results.json too, in which nothing ran: it would hide the one
# that counts, and it is what dbt Cloud serves when no step is named.
WITH_RESULTS = frozenset(
    {"build", "run", "run-operation", "test", "seed", "snapshot", "retry", "clone"}
)
# What `dbt retry` can take up again, by the API's own list.
RETRYABLE = WITH_RESULTS | {"compile", "docs generate"}
FRESHNESS = frozenset({"source freshness", "source snapshot-freshness"})

# Whoever runs a job keeps logs, artifacts and profiles in folders of its own: a command that moves
# them would lose its results, or read and write outside the run.
REFUSED_OPTIONS = frozenset(
    {
        *("--log-path", "--profile", "--profiles-dir", "--project-dir", "--target-path"),
        # With it, `dbt clean` deletes folders out of the project.
        "--no-clean-project-files-only",
    }
)
# A job may use these, the next three kinds, and nothing else: what dbt adds may write or listen.
FLAGS = frozenset(
    {
        *("--cache-selected-only", "--check-all", "--clean-project-files-only", "--compile"),
        *("--connection", "--debug", "-d", "--defer", "--deprecated-no-print"),
        *("--deprecated-print", "--dirty", "--dry-run", "--empty", "--empty-catalog"),
        *("--enable-legacy-logger", "--export-saved-queries", "--fail-fast", "-x"),
        *("--favor-state", "--force-node-selection", "--full-refresh", "-f"),
        *("--include-saved-query", "--inject-ephemeral-ctes", "--introspect", "--lock"),
        *("--log-cache-events", "--manage-state", "--partial-parse", "--partial-parse-file-diff"),
        *("--populate-cache", "--print", "--quiet", "-q", "--send-anonymous-usage-stats"),
        *("--show", "--show-all-deprecations", "--show-resource-report", "--single-threaded"),
        *("--static", "--static-parser", "--store-failures", "--unchecked", "--upgrade"),
        *("--use-colors", "--use-colors-file", "--use-experimental-parser"),
        *("--use-fast-test-edges", "--use-v2-compatible-package-downloads", "--version-check"),
        *("--warn-error", "--write-catalog", "--write-index", "--write-json", "--write-lineage"),
        "--write-metadata",
    }
)
# What reads or writes the file or folder that it names: one in the run's own.
PATH_OPTIONS = frozenset(
    {
        *("--defer-state", "--deprecated-state", "--index-dir", "--metadata-dir"),
        *("--otel-file-name", "--otel-parquet-file-name", "--output", "-o"),
        *("--packages-install-path", "--partial-parse-file-path", "--record-timing-info", "-r"),
        *("--state", "--with-sample"),
    }
)
# Their values are all words up to the next option.
WITH_WORDS = frozenset(
    {
        *("--exclude", "--exclude-resource-type", "--exclude-resource-types", "--model"),
        *("--models", "-m", "--output-keys", "--resource-type", "--resource-types"),
        *("--sampled", "--select", "-s"),
    }
)
WITH_ONE_WORD = frozenset(
    {
        *("--add-package", "--args", "--compute", "--deprecated-defer"),
        *("--deprecated-favor-state", "--event-time-end", "--event-time-start"),
        *("--indirect-selection", "--inline", "--inline-direct", "--invocation-id", "--limit"),
        *("--log-file-max-bytes", "--log-format", "--log-format-file", "--log-level"),
        *("--log-level-file", "--maximum-seed-size-mib", "--parent-span-id", "--printer-width"),
        *("--run-cache-mode", "--sample", "--selector", "--source", "--sql", "--sqlparse"),
        *("--static-analysis", "--target", "-t", "--threads", "--vars", "--warn-error-options"),
    }
)
ALLOWED_OPTIONS = FLAGS | PATH_OPTIONS | WITH_WORDS | WITH_ONE_WORD
# Of any command, also of one that no job may run.
WITH_A_VALUE = (
    PATH_OPTIONS
    | WITH_WORDS
    | WITH_ONE_WORD
    | REFUSED_OPTIONS - {"--no-clean-project-files-only"}
    | {"--config", "--exclude-rules", "--format", "--host", "--port", "--rules"}
)
NUMBER = re.compile(r"-\d+")
SHELL_SYNTAX = frozenset(";&|<>`\n\r\0")
STEP = re.compile(r"Invoke dbt with `(?P<command>dbt\s[^`]*)")


class CommandRefusedError(ValueError):
    """A text is not a dbt command that a job may run; says why."""


@dataclass(frozen=True, slots=True)
class DbtCommand:
    """`arguments` is all behind `dbt`; `name` the subcommand, empty where there is none."""

    text: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        words = _positional(self.arguments)
        first = next(words, "")
        return f"{first} {next(words, '')}".rstrip() if first in GROUPS else first

    @property
    def writes_results(self) -> bool:
        """Whether it writes a run_results.json that says what became of models and dbt tests."""
        return self.name in WITH_RESULTS

    @property
    def can_be_retried(self) -> bool:
        return self.name in RETRYABLE

    @property
    def looks_at_freshness(self) -> bool:
        return self.name in FRESHNESS


def read_command(text: str) -> DbtCommand:
    """Read a command as it was run; one that is none of dbt has no name."""
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation that does not end
        words = text.split()
    return DbtCommand(text, tuple(words[1:]) if words[:1] == ["dbt"] else ())


def step_name(command: str) -> str:
    """How dbt Cloud titles a step; OpenLineage finds the command in it with a regex."""
    return f"Invoke dbt with `{command}`"


def command_of(step: str) -> DbtCommand:
    """Find the command in the title of a step; a step that is none of dbt has an empty one."""
    found = STEP.match(step)
    return read_command(found["command"] if found else "")


def steps_with_results(steps: Iterable[Mapping[str, Any]]) -> list[int]:
    """Give the numbers of the steps of a run whose run_results.json counts, in their order."""
    return [step["index"] for step in steps if command_of(step["name"]).writes_results]


def allowed_command(text: str) -> DbtCommand:
    """Read a command such as `dbt build --select tag:daily`; raise `CommandRefusedError`."""
    text = text.strip()
    _refuse_shell_syntax(text)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CommandRefusedError(f"'{text}' cannot be read: {error}.") from None
    if words[:1] != ["dbt"]:
        raise CommandRefusedError(f"'{text}' is not a dbt command: it must start with 'dbt'.")
    command = DbtCommand(text, tuple(words[1:]))
    if command.name not in COMMANDS:
        raise CommandRefusedError(f"'{text}' is not a dbt command that a job can run.")
    for option, value in _options(command.arguments):
        _check_option(text, option, value)
    # The macro of run-operation is the one word that belongs to no option.
    known = len(command.name.split()) + (command.name == "run-operation")
    extra = [*_positional(command.arguments)][known:]
    if extra:
        raise CommandRefusedError(f"'{text}' has '{extra[0]}', which belongs to no option.")
    return command


def _check_option(text: str, option: str, value: str) -> None:
    if option in REFUSED_OPTIONS:
        raise CommandRefusedError(f"'{text}' sets {option}, which belongs to the server.")
    if option not in ALLOWED_OPTIONS and option.replace("--no-", "--", 1) not in FLAGS:
        raise CommandRefusedError(f"'{text}' has {option}, which is no option for a job.")
    path = value.removeprefix("=")  # dbt 2 takes `-o=x` for x
    if option in PATH_OPTIONS and (path.startswith(("/", "~")) or ".." in path.split("/")):
        raise CommandRefusedError(f"'{text}' names {path}, which is out of the project.")


def _positional(arguments: Iterable[str]) -> Iterator[str]:
    """Give the words that are neither an option nor a value of one."""
    words = deque(arguments)
    while words:
        word = words.popleft()
        if not word.startswith("-"):
            yield word
            continue
        *_, (option, value) = _split(word)
        if value is None and option in WITH_A_VALUE and words:
            words.popleft()
        while option in WITH_WORDS and words and not words[0].startswith("-"):
            words.popleft()


def _options(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """
    Give every word that may be an option, with what may be its value.

    Also one that is only a value itself: what is refused must not hide behind another option.
    """
    for word, following in pairwise([*arguments, ""]):
        if word.startswith("-") and not NUMBER.fullmatch(word):
            for option, value in _split(word):
                yield option, following if value is None else value


def _split(word: str) -> list[tuple[str, str | None]]:
    """Take `--state=x` or `-xtci` apart; None where no value is written in the same word."""
    if word.startswith("--") or word == "-":
        option, equals, value = word.partition("=")
        return [(option, value if equals else None)]
    options: list[tuple[str, str | None]] = []
    for end, letter in enumerate(word[1:], 2):
        if f"-{letter}" in WITH_A_VALUE:
            return [*options, (f"-{letter}", word[end:] or None)]
        options.append((f"-{letter}", None))
    return options


def _refuse_shell_syntax(text: str) -> None:
    quote = ""
    for character, following in pairwise(text + " "):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in SHELL_SYNTAX or (character == "$" and following in "({"):
            raise CommandRefusedError(
                f"'{text}' uses shell syntax ({character!r}); there is no shell."
            )
