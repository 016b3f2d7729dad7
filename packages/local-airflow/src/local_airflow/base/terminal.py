"""Is somebody looking, or does a program read? Colours and tables are for people only."""

import os
import shutil
import sys
import textwrap
from importlib.util import find_spec
from typing import TextIO

from dbt_cloud_api.user_error import UserError


# By name, never by value: a terminal shows each so that it can be read on its own background.
COLOURS = {"red": 31, "green": 32, "yellow": 33}


def is_looked_at(stream: TextIO | None = None) -> bool:
    """Tell whether a person sees this stream in a terminal that can do more than plain text."""
    stream = stream or sys.stdout
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def painted(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Colour a word where somebody looks who has nothing against it (https://no-color.org)."""
    if colour not in COLOURS or os.environ.get("NO_COLOR") or not is_looked_at(stream):
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def fitted(line: str, indent: int, stream: TextIO | None = None) -> str:
    """Break a line between words where a terminal would break it within one; never an address."""
    columns = shutil.get_terminal_size().columns
    if not is_looked_at(stream) or len(line) <= columns or "://" in line:
        return line
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


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
