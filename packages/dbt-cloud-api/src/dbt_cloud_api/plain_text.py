"""
Text of dbt and of dbt Cloud as its readers take it: a log, a terminal, a database, a chat.

dbt colours its words, a database driver may put bytes into them that are no text, and whoever may
name a job chooses what a terminal is told. A NUL or half a surrogate pair breaks the store it is
written to, and with it the task that had the news.
"""

import re
from typing import Any


# Colours and cursor movements (CSI), and the links and titles of a terminal (OSC). None goes beyond
# its line: a log is looked at while it grows, and what was shown of it stays as it was.
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))")
# Also what turns the direction of writing round: a name would read as another one.
NO_TEXT = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LINE_BREAK = re.compile(r"\r\n?|[\x85\u2028\u2029]")
BLANKS = re.compile(r"[\n\t]+")
# More than this nobody reads in one line, and a name may be megabytes long.
LONGEST_LINE = 2000
# What dbt printed; any other text in an answer is a name, a status, an address.
SEVERAL_LINES = {"logs", "debug_logs", "truncated_debug_logs", "message"}
# How Slack, Discord and Teams call somebody: <!channel>, <@U123>, @everyone.
CALL = re.compile(r"(?<=<)(?=[!@#])|(?<=@)(?=\w)")


def printable(text: str) -> str:
    """Leave out what only a terminal understands, and mark what is no text at all."""
    marked = NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", TERMINAL.sub("", text))
    return LINE_BREAK.sub("\n", marked)


def one_line(text: str) -> str:
    """Give a name as it may stand in a line, or in a log, without beginning another one."""
    line = BLANKS.sub(" ", printable(text[:LONGEST_LINE]))
    return line if len(text) <= LONGEST_LINE else f"{line}…"


def for_chat(text: str) -> str:
    """Give a message that calls nobody, whatever dbt or a job's name says."""
    return CALL.sub("\N{ZERO WIDTH SPACE}", printable(text))


def printable_json(value: Any, key: str = "") -> Any:
    """Give what JSON holds, every text in it on one line but for what dbt printed."""
    if isinstance(value, str):
        return printable(value) if key in SEVERAL_LINES else one_line(value)
    if isinstance(value, list):
        return [printable_json(each, key) for each in value]
    if isinstance(value, dict):
        return {name: printable_json(each, name) for name, each in value.items()}
    return value
