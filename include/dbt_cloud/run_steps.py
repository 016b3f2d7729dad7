"""Which dbt command a step of a run is. No Airflow inside."""

import re
import shlex


# `dbt docs generate` writes a run_results.json too, in which nothing ran: it would hide the one
# that counts, and it is what dbt Cloud serves when no step is named.
COMMANDS_WITH_RESULTS = frozenset(
    {"build", "run", "run-operation", "test", "seed", "snapshot", "retry", "clone"}
)
# Of what may stand before the command, what is followed by a value of its own (`dbt --help`).
WITH_A_VALUE = frozenset(
    {
        *("--defer-state", "--indirect-selection", "--log-file-max-bytes", "--log-format"),
        *("--log-format-file", "--log-level", "--log-level-file", "--log-path"),
        *("--partial-parse-file-path", "--printer-width", "--profile", "--profiles-dir"),
        *("--project-dir", "--record-timing-info", "-r", "--state", "--target", "-t"),
        *("--target-path", "--threads", "--vars", "--warn-error-options"),
    }
)
STEP = re.compile(r"Invoke dbt with `dbt\s+(?P<words>[^`]*)")


def command_of(step: str) -> str:
    """
    Name the dbt command of a step; empty when the step is none of dbt.

    Options may stand before it (`dbt --warn-error build`), with values of their own.
    """
    found = STEP.match(step)
    words = iter(_words(found["words"]) if found else ())
    for word in words:
        if word in WITH_A_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation that does not end
        return command.split()


def looks_at_freshness(step: str) -> bool:
    """Whether a step is `dbt source freshness`, by its full name or the short one."""
    return command_of(step) == "source" and "freshness" in step
