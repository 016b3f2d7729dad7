"""
What is new in the log of a dbt Cloud run, step by step, since the last look.

The position is a small dictionary, so that it can travel from the triggerer to the worker.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from dbt_cloud_api.plain_text import one_line, printable


# The step's number to how many characters of its log have been shown.
Position = dict[str, int]

WAITS_TO_BE_WHOLE = "\n"


def new_lines(run: dict[str, Any], position: Position) -> tuple[list[str], Position]:
    """
    Give the lines that have come since `position`, and where the next look goes on.

    The last line of a step that is not over may still grow: it waits until it is whole.
    """
    lines: list[str] = []
    after: Position = dict(position)
    for step in run.get("run_steps") or []:
        name, text = str(step["index"]), _text(step)
        is_over = bool(run.get("is_complete") or step.get("finished_at"))
        end = len(text) if is_over else text.rfind(WAITS_TO_BE_WHOLE) + 1
        begin = position.get(name, 0)
        if name not in position:
            lines.append(f"step {name}: {step['name']}")
        lines += [f"    {line}" for line in _lines(text[begin:end])]
        after[name] = max(begin, end)
    return lines, after


def last_lines(run: dict[str, Any], index: int, count: int) -> list[str]:
    """Give the end of one step's log."""
    for step in run.get("run_steps") or []:
        if step["index"] == index:
            return list(deque(_lines(_text(step)), maxlen=count))
    return []


def _text(step: dict[str, Any]) -> str:
    text: str = step.get("logs") or ""
    return text


def _lines(text: str) -> Iterator[str]:
    lines = printable(text).splitlines()
    return (one_line(line.rstrip()) for line in lines if line.strip())
