"""Which dbt command a step of a run is. No Airflow inside."""

import re


# `dbt docs generate` writes a run_results.json too, in which nothing ran: it would hide the one
# that counts, and it is what dbt Cloud serves when no step is named.
COMMANDS_WITH_RESULTS = frozenset(
    {"build", "run", "run-operation", "test", "seed", "snapshot", "retry", "clone"}
)
OTHER_COMMANDS = frozenset(
    {"clean", "compile", "debug", "deps", "docs", "list", "ls", "parse", "show", "source"}
)
STEP = re.compile(r"Invoke dbt with `dbt\s+(?P<words>[^`]*)")


def command_of(step: str) -> str:
    """
    Name the dbt command of a step; empty when the step is none of dbt.

    Options may stand before it (`dbt --warn-error build`), with values of their own.
    """
    found = STEP.match(step)
    words = found["words"].split() if found else []
    return next((each for each in words if each in COMMANDS_WITH_RESULTS | OTHER_COMMANDS), "")


def looks_at_freshness(step: str) -> bool:
    """Whether a step is `dbt source freshness`, by its full name or the short one."""
    return command_of(step) == "source" and "freshness" in step
