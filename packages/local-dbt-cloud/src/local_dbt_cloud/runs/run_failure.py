"""Says in one line why a dbt command failed."""

import re

from dbt_cloud_api.run_results import FAILED, RunResults


MAX_LENGTH = 500
TIMESTAMP = re.compile(r"^\d\d:\d\d:\d\d\s+")


def explain_failure(results: RunResults, console: str) -> str:
    """The first node that failed, in dbt's words; without one, the first error line."""
    failed = next((node for node in results.nodes if node.status in FAILED), None)
    if failed is None:
        return shortened(first_error_line(console))
    return shortened(f"{failed.unique_id}: {failed.message or 'no message'}")


def first_error_line(console: str) -> str:
    lines = [TIMESTAMP.sub("", line).strip() for line in console.splitlines()]
    lines = [line for line in lines if line]
    for index, line in enumerate(lines):
        if "error" in line.lower():
            # dbt says "Encountered an error:" and then, on the next lines, which.
            return " ".join(lines[index : index + 3])
    return lines[-1] if lines else "the command ended without a word"


def shortened(text: str) -> str:
    return " ".join(text.split())[:MAX_LENGTH]
