"""The line that a person sees while something takes its time."""

import re
import subprocess
import sys

import pexpect
import pytest
from repository_copy import ROOT
from terminal import COLOUR, read_all, seen


# It goes by what was drawn, not by the clock: on a busy machine a frame comes when it can.
PROGRAM = """
import time
from local_airflow.base.progress_line import ProgressLine

def until_drawn(times):
    last = line._frame + times
    while line.is_drawn and line._frame <= last:
        time.sleep(0.01)

with ProgressLine("something") as line:
    until_drawn(2)
    line.detail = "and what it is at, in more words than a narrow terminal has room for"
    until_drawn(1)
    line.tick("the first part")
    line.say("a line of its own")
    until_drawn(1)
print("the end")
"""


def in_a_terminal(columns=80, **environment):
    """What the program sends to a terminal of this width."""
    return read_all(
        pexpect.spawn(
            sys.executable,
            ["-c", PROGRAM],
            cwd=str(ROOT),
            env={"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
            dimensions=(24, columns),
            encoding="utf-8",
            timeout=60,
        )
    )


def states(raw):
    """Every state of the line at the bottom, and what is left above it."""
    return [line for line in seen(raw.replace("\r", "\n")) if line]


@pytest.fixture(scope="module")
def raw():
    """What it looks like where a terminal can do everything."""
    return in_a_terminal()


class TestInATerminal:
    def test_says_what_is_waited_for_and_how_long(self, raw):
        """The line moves, counts the seconds, and says more when there is more to say."""
        shown = [line for line in states(raw) if "something …" in line]

        seconds = [float(re.search(r"(\d+\.\d) s  something …", line)[1]) for line in shown]

        assert len({line[0] for line in shown}) >= 3
        assert seconds == sorted(seconds)
        assert seconds[0] < seconds[-1]
        assert any("something …  and what it is at" in line for line in shown)

    def test_leaves_only_what_is_done(self, raw):
        """At the end the line is gone, and what was done stands where it was said."""
        left = [line for line in seen(raw) if line]

        assert re.fullmatch(r"✓ +\d+\.\d s  the first part", left[0])
        assert left[1:] == ["a line of its own", "the end"]
        assert COLOUR.search(raw)

    def test_never_breaks(self, raw):
        """A line that is longer than the terminal is cut: a broken one could not be taken away."""
        narrow = [line for line in states(in_a_terminal(20)) if "✓" not in line]

        assert max(map(len, states(raw))) == 79
        assert max(map(len, narrow)) == 19

    def test_no_color(self):
        """NO_COLOR takes the colours away; the line stays."""
        bare = in_a_terminal(NO_COLOR="1")

        assert not COLOUR.search(bare)
        assert any("something …" in line for line in states(bare))

    def test_terminal_without_unicode(self):
        """Where the signs cannot be shown, others stand for them, and nothing ends in an error."""
        ascii_only = states(in_a_terminal(PYTHONIOENCODING="ascii:replace"))

        assert {line[0] for line in ascii_only if "something" in line} <= {*"|/-\\"}
        assert ascii_only[-1] == "the end"

    def test_terminal_that_can_do_nothing(self):
        """With TERM=dumb there is only what a pipe would get."""
        dumb = in_a_terminal(TERM="dumb").replace("\r\n", "\n")

        assert re.sub(r"\d", "0", dumb) == re.sub(r"\d", "0", in_a_pipe())


def in_a_pipe():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


class TestInAPipe:
    def test_only_lines(self):
        """A program reads lines, without signs and without anything that is taken back."""
        lines = in_a_pipe().splitlines()

        assert lines == [lines[0], "a line of its own", "the end"]
        assert re.fullmatch(r" +\d+\.\d s  the first part", lines[0])
