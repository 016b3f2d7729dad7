"""Says in one line why a dbt command failed."""

import json
import re
from pathlib import Path


FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
MAX_LENGTH = 500
TIMESTAMP = re.compile(r"^\d\d:\d\d:\d\d\s+")


def explain_failure(run_results: Path | None, console: str) -> str:
    """The first node that failed, in dbt's words; without results, the first error line."""
    found = (run_results and first_failed_node(run_results)) or first_error_line(console)
    return " ".join(found.split())[:MAX_LENGTH]


def first_failed_node(run_results: Path) -> str | None:
    try:
        results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return None
    for result in results:
        if result["status"] in FAILED:
            message = result.get("message") or "no message"
            return f"{result['unique_id']}: {message}"
    return None


def first_error_line(console: str) -> str:
    lines = [TIMESTAMP.sub("", line).strip() for line in console.splitlines()]
    lines = [line for line in lines if line]
    for index, line in enumerate(lines):
        if "error" in line.lower():
            # dbt says "Encountered an error:" and then, on the next lines, which.
            return " ".join(lines[index : index + 3])
    return lines[-1] if lines else "the command ended without a word"
