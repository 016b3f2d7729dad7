"""A terminal of 80 columns, in which a test reads what a person would see."""

import re
import signal
import sys

import pexpect


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;5;\d+)m")


def start(stack, *arguments, **more):
    """Start a command in a terminal; the test then reads and types."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "local_airflow", *arguments],
        cwd=str(stack.root),
        env=stack.process_environment(TERM="xterm-256color", **more),
        dimensions=(60, 80),
        encoding="utf-8",
        timeout=240,
        # A shell starts what runs in the background, as these tests may, with Ctrl-C ignored, and
        # every program below inherits that; in a terminal it counts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def read_all(terminal):
    """Everything until the command ends."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.before


def seen(raw):
    """The lines as they stay on the screen: without colours, and without overwritten ones."""
    lines = [ESCAPE.sub("", line).split("\r")[-1] for line in raw.replace("\r\n", "\n").split("\n")]
    return [line.rstrip() for line in lines]
