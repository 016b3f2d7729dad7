"""Is somebody looking, or does a program read? Colours and tables are for people only."""

import os
import sys
from importlib.util import find_spec
from typing import TextIO

from local_airflow.user_error import UserError


def is_looked_at(stream: TextIO | None = None) -> bool:
    """Tell whether a person sees this stream in a terminal that can do more than plain text."""
    stream = stream or sys.stdout
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def has_tables() -> bool:
    """Tell whether this Python has rich; the one that runs the launcher need not have it."""
    return find_spec("rich") is not None


def check_format(chosen: str, known: tuple[str, ...]) -> str:
    if chosen in {"", *known}:
        return chosen
    raise UserError(
        f"FORMAT={chosen} is not there",
        "Without FORMAT it is for people; the others are for programs.",
        tuple(f"FORMAT={name}" for name in known),
    )


def survive_any_encoding() -> None:
    """Let a terminal without Unicode show ? for ✓ instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
