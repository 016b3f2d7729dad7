"""
Text of dbt and of dbt Cloud as a log, a message or a database takes it.

dbt colours its words, and a database driver may put bytes into them that are no text. A NUL or half
a surrogate pair breaks the store it is written to, and with it the task that had the news.
"""

import re


# Colours and cursor movements (CSI), and the links and titles of a terminal (OSC).
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def printable(text: str) -> str:
    """Leave out what only a terminal understands, and mark what is no text at all."""
    return NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", TERMINAL.sub("", text))
