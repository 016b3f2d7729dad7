"""
Runs one command and takes it down when the server dies.

The server holds the other end of this process's standard input. When the server is gone, however
it went, that end closes, and the whole process group is killed: no dbt keeps writing to a
warehouse for a run that nobody looks after. A script of its own that imports next to nothing,
because it stands before every dbt process.
"""

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
    threading.Thread(target=die_with_the_server, args=(lifeline,), daemon=True).start()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


def die_with_the_server(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
