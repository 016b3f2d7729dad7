"""
Runs in dbt's environment: loads dbt once, and forks a process for every step.

Standard input is a socket to the server. For each step the server sends one end of a socket pair.
A fork of this process (the guard) reads from it what to run, writes back a "+", runs it in a
further fork, and writes back the exit code. What the server sends meanwhile are numbers of signals
for the step. When the server is gone, however it went, the guard's socket closes and it kills its
process group, and this process ends too: nothing is left.

A script of its own, isolated from this package: it must import nothing but dbt.
"""

import atexit
import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NoReturn


# What a dbt command would import only once it runs. Not dbt.task.deps: a module below it reads
# its setting from the process environment, which is not yet the run's.
USUAL = (
    "_strptime", "agate", "babel.dates", "daff", "dbt.cli.main", "dbt.task.build",
    "dbt.task.clone", "dbt.task.docs.generate", "dbt.task.freshness", "dbt.task.list",
    "dbt.task.retry", "dbt.task.run_operation", "dbt.task.show", "multiprocessing.dummy",
    "multiprocessing.pool", "sqlparse",
)  # fmt: skip
PROJECT = {
    "dbt_project.yml": "name: rehearsal\nversion: '1.0'\nprofile: rehearsal\n",
    "models/one.sql": "select id from {{ source('raw', 'events') }}\n",
    "models/two.sql": "{{ config(materialized='table') }} select id from {{ ref('one') }}\n",
    "models/properties.yml": """
sources: [{name: raw, tables: [{name: events, columns: [{name: id}]}]}]
models: [{name: two, description: Two., columns: [{name: id, data_tests: [not_null, unique]}]}]
exposures: [{name: e, type: dashboard, owner: {name: n}, depends_on: [ref('two')]}]
""",
    "profiles.yml": """
rehearsal:
  target: t
  outputs: {t: {type: postgres, host: 127.0.0.1, port: 1, user: u, password: p, dbname: d,
                schema: s, threads: 1}}
""",
}
OPTIONS = (
    "--no-static-parser", "--no-send-anonymous-usage-stats", "--no-version-check",
    "--log-level-file", "none",
)  # fmt: skip
SECONDS_TO_LOOK = 0.2
STARTED = b"+"


class UnsafeToForkError(RuntimeError):
    """A fork would copy half of something."""


def main(adapters: list[str]) -> None:
    server = socket.socket(fileno=0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_when_alone(server)
    load(adapters)
    signal.setitimer(signal.ITIMER_REAL, 0)
    # Guards are nobody's children to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # so that collecting in a fork does not touch, and thereby copy, all of it
    server.sendall(b"ready")
    while step := receive(server):
        if os.fork() == 0:
            let_go(server)
            guard(step)
        step.close()


def end_when_alone(server: socket.socket) -> None:
    """While dbt is being loaded, look now and then whether the server is still there."""

    def look(*_: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            if not server.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                os._exit(0)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_LOOK, SECONDS_TO_LOOK)


def load(adapters: list[str]) -> None:
    # dbt takes only locks from here. Those of "spawn" start a process to watch over them.
    locks = vars(importlib.import_module("dbt.mp_context"))
    locks["_MP_CONTEXT"] = multiprocessing.get_context("fork")
    for module in (*USUAL, *(f"dbt.adapters.{name}" for name in adapters)):
        importlib.import_module(module)
    if "postgres" in adapters:
        rehearse()
    for what, count in (("threads", count_threads()), ("open files", count_files())):
        if count:
            raise UnsafeToForkError(f"loading dbt for {adapters} left {count} {what}")


def count_threads() -> int:
    """Those besides this one; a fork would have them in the middle of something."""
    return len(list(Path("/proc/self/task").iterdir())) - 1


def count_files() -> int:
    """Those that a fork would share with other steps, beyond the standard three."""
    return sum(int(path.name) > 2 and path.exists() for path in Path("/proc/self/fd").iterdir())  # noqa: PLR2004 - the number of standard error


def rehearse() -> None:
    """
    Parse a tiny project, which builds the many classes that dbt builds when it first needs them.

    dbt allows commands one after the other in one process; the forks run the next one. Without
    the static parser, whose threads would not survive a fork.
    """
    runner = importlib.import_module("dbt.cli.main").dbtRunner()
    home = os.getcwd()  # noqa: PTH109 - only to come back
    with tempfile.TemporaryDirectory() as folder:
        for name, content in PROJECT.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        places = ["--project-dir", folder, "--profiles-dir", folder, "--log-path", folder]
        # The second time, dbt reads what the first has parsed.
        for _ in range(2):
            result = runner.invoke(["--quiet", "parse", *OPTIONS, *places])
            if not result.success:
                raise UnsafeToForkError(f"the rehearsal failed: {result.exception}")
        os.chdir(home)
    # What dbt does not begin anew with every command. Its own tests call the same.
    importlib.import_module("dbt_common.events.event_manager_client").cleanup_event_logger()
    importlib.import_module("dbt_common.events.functions").reset_metadata_vars()
    importlib.import_module("dbt.deprecations").reset_deprecations()


def receive(server: socket.socket) -> socket.socket | None:
    """Wait for a step; None when the server is gone."""
    content, descriptors, _, _ = socket.recv_fds(server, 1, 1)
    return socket.socket(fileno=descriptors[0]) if content else None


def let_go(server: socket.socket) -> None:
    """Leave the socket to the process that loaded dbt, so that its death is noticed."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, server.detach())
    os.close(nothing)


def guard(step: socket.socket) -> NoReturn:
    """Run one step in a process group of its own, and take it down when the server dies."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words = step.makefile("r", encoding="utf-8")
    line = words.readline()
    step.sendall(STARTED)
    child = os.fork()
    if child == 0:
        words.close()
        step.close()
        run(json.loads(line))
    threading.Thread(target=pass_on_signals, args=(words,), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        step.sendall(str(code % 256).encode())
    # This process, and whatever dbt has left running.
    os.killpg(0, signal.SIGKILL)
    os._exit(0)


def pass_on_signals(words: Any) -> None:
    with contextlib.suppress(OSError):
        for number in words:
            # This process ignores all but SIGKILL, which ends it with the rest.
            os.killpg(0, int(number))
    os.killpg(0, signal.SIGKILL)


def run(request: dict[str, Any]) -> NoReturn:
    """Be the process that the `dbt` command would be."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["process_env"])
    time.tzset()
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dbt", *request["arguments"]]
    code: Any = 1
    try:
        os.chdir(request["folder"])
        importlib.import_module("dbt.cli.main").cli()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - what Python does at the top of a program
        sys.excepthook(*sys.exc_info())
    finish(code)


def finish(code: Any) -> NoReturn:
    """End as Python ends a program, without taking apart all that was loaded."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    # What waits for threads and calls what registered itself, in that order.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing does
    atexit._run_exitfuncs()  # noqa: SLF001 - as above
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    main(sys.argv[1:])
