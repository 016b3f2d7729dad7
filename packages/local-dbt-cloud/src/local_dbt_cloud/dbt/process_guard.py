"""
Runs one command, takes it down when the server dies, and ends what it leaves running.

The server holds the other end of this process's standard input. When the server is gone, however
it went, that end closes, and the whole process group is killed: no dbt keeps writing to a
warehouse for a run that nobody looks after. A script of its own that imports next to nothing,
because it stands before every dbt process.
"""

import contextlib
import os
import signal
import sys
import threading


def main(command: list[str]) -> int:
    """The command's exit code; 128 + the signal's number when a signal ended it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Meant for the command, which is in the same group. A handler, because "ignore" would
        # be inherited by it.
        signal.signal(number, lambda *_: None)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    lifeline = os.dup(0)
    child = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[nothing],
        setsigdef=[signal.SIGINT, signal.SIGTERM],
    )
    group = os.getpgid(0)
    threading.Thread(target=die_with_the_server, args=(lifeline, group), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256
    end_the_rest(group)
    return code


def die_with_the_server(lifeline: int, group: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.killpg(group, signal.SIGKILL)


def end_the_rest(group: int) -> None:
    """End what the command has left running, and not this process, which still has its code."""
    with contextlib.suppress(OSError):  # nothing is left, or the server is gone
        os.setpgid(0, os.getpgid(os.getppid()))
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
