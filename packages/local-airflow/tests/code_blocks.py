"""The code blocks of a text, each with what its author says about running it."""

import re
from dataclasses import dataclass
from pathlib import Path


BLOCK = re.compile(
    r"(?:^<!-- (?P<remark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """`output` is the `text` block that follows a `shell` block: what it prints."""

    file: Path
    line: int
    language: str
    code: str
    remark: str
    output: str | None

    @property
    def not_run(self):
        """Why it cannot be run here; empty when it can."""
        return self.remark.removeprefix("not run: ") if self.remark.startswith("not run: ") else ""

    @property
    def status(self):
        """The exit code it is meant to have."""
        return int(self.remark.removeprefix("ends with: ")) if "ends with: " in self.remark else 0

    def __str__(self):
        return f"{self.file.name}:{self.line}"


def blocks(file):
    text = file.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    for number, match in enumerate(found):
        after = found[number + 1] if number + 1 < len(found) else None
        output = after["code"] if after and after["language"] == "text" else None
        line = text.count("\n", 0, match.start("code"))
        yield Block(file, line, match["language"], match["code"], match["remark"] or "", output)


def missing_line(expected, printed):
    """
    Give the first line of the expected output that was not printed in its place.

    Digits may differ, and so may the room between words; `…` stands for anything.
    """
    lines = [_plain(line) for line in printed.splitlines()]
    for wanted in filter(None, map(str.strip, expected.splitlines())):
        if wanted == "…":
            continue
        pattern = re.compile(re.escape(_plain(wanted)).replace("…", ".*"))
        place = next((n for n, line in enumerate(lines) if pattern.fullmatch(line)), None)
        if place is None:
            return wanted
        lines = lines[place + 1 :]
    return None


def _plain(line):
    return re.sub(r"\d+", "0", " ".join(line.split()))
