"""Turns arguments into commands; the one place that prints errors."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from dbt_cloud_api.user_error import UserError
from local_airflow.base import install
from local_airflow.base.exec_in_environment import exec_for_tests, exec_in_environment
from local_airflow.base.folders import state_folders
from local_airflow.base.interruption import end_like_ctrl_c, exit_code, undisturbed
from local_airflow.base.shell_variables import keep_local_calls_away
from local_airflow.base.terminal import fitted, painted, survive_any_encoding
from local_airflow.bundle.command import bundle
from local_airflow.doctor.command import doctor
from local_airflow.native.supervisor import supervise
from local_airflow.running import commands, daily_commands
from local_airflow.setup.command import setup
from local_airflow.snapshots import command as snapshots
from local_airflow.stack.disk_space import NO_ROOM, full_disks, no_room
from local_airflow.stack.settings import EXAMPLES_FOLDER, load_settings
from local_airflow.status.command import open_page, status, wait
from local_airflow.supply_chain.audit import audit
from local_airflow.supply_chain.sbom import sbom
from local_airflow.update import upgrade_test


Command = Callable[[argparse.Namespace], int]

# Commands that look better in `.local/tools`, and work without it too.
LOOKED_AT = frozenset({"doctor", "setup", "status"})
# What a shell gives for a program that SIGPIPE ended.
CLOSED_PIPE = 128 + signal.SIGPIPE
NOT_PERMITTED = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_dag(chosen: argparse.Namespace) -> int:
    # Imported here because only the tests' environment has what it needs.
    from local_airflow.new_dag.command import new_dag  # noqa: PLC0415

    return new_dag(chosen.name, chosen.job, chosen.schedule, chosen.owner)


def jobs_as_code(verb: str, chosen: argparse.Namespace) -> int:
    # Imported here because the package is in an environment of its own.
    from local_airflow.jobs_as_code import command  # noqa: PLC0415
    from local_airflow.jobs_as_code.places import Wanted  # noqa: PLC0415

    wanted = Wanted(chosen.project, chosen.environment)
    if verb == "import":
        return command.jobs_import(chosen.job, wanted)
    if verb == "plan":
        return command.jobs_plan(wanted, check=chosen.check)
    return command.jobs_sync(wanted)


def install_with(environments: Sequence[str]) -> int:
    """Install these, and what runs."""
    return install.install((*install.to_run(examples=EXAMPLES_FOLDER.is_dir()), *environments))


def in_dev(program: list[str]) -> NoReturn:
    install_with(["dev"])
    exec_for_tests(program)


COMMANDS: dict[str, Command] = {
    "up": lambda chosen: commands.up(chosen.executor, chosen.workers),
    "down": lambda _: commands.down(),
    "status": lambda chosen: status(chosen.format),
    "open": lambda chosen: open_page(chosen.what),
    "wait-ready": lambda chosen: wait(chosen.seconds),
    "logs": lambda chosen: commands.logs(chosen.service, chosen.lines, following=chosen.follow),
    "run": lambda chosen: commands.run(chosen.dag_id),
    "load-flights": lambda chosen: commands.load(chosen.month),
    "shell": lambda chosen: daily_commands.shell(chosen.inside),
    "restart": lambda chosen: daily_commands.restart(chosen.part),
    "dag-test": lambda chosen: daily_commands.dag_test(chosen.dag_id, chosen.debug),
    "psql": lambda chosen: daily_commands.psql(chosen.database, chosen.inside),
    "snapshot": lambda chosen: snapshots.take(chosen.name),
    "restore": lambda chosen: snapshots.bring_back(chosen.name, commands.up),
    "upgrade-test": lambda chosen: upgrade_test.run(chosen.airflow),
    "reset": lambda _: commands.reset(),
    "setup": lambda _: setup(),
    "doctor": lambda chosen: doctor(chosen.format),
    "jobs-plan": lambda chosen: jobs_as_code("plan", chosen),
    "jobs-sync": lambda chosen: jobs_as_code("sync", chosen),
    "jobs-import": lambda chosen: jobs_as_code("import", chosen),
    "new-dag": write_dag,
    "bundle": lambda _: bundle(),
    "sbom": lambda _: sbom(),
    "audit": lambda _: audit(),
    "in-airflow": lambda chosen: commands.in_airflow(chosen.program),
    "in-dev": lambda chosen: in_dev(chosen.program),
    "install": lambda chosen: install_with(chosen.environments),
    "lock": lambda _: install.lock(),
    "supervise": lambda _: supervise(load_settings()),
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m local_airflow")
    parsers = parser.add_subparsers(dest="command", required=True)
    added = {name: parsers.add_parser(name) for name in COMMANDS}
    added["up"].add_argument("--executor", choices=["", "celery"], default="")
    added["up"].add_argument("--workers", type=int, default=0)
    added["install"].add_argument(
        "environments", nargs="*", default=["jobs-as-code", "docs", "dev"]
    )
    added["run"].add_argument("dag_id", nargs="?", default="")
    added["load-flights"].add_argument("month")
    added["logs"].add_argument("--service")
    added["logs"].add_argument("--lines", type=int, default=30)
    added["logs"].add_argument("--follow", action="store_true")
    for name in ("doctor", "status"):
        added[name].add_argument("--format", default="")
    for name in ("jobs-plan", "jobs-sync", "jobs-import"):
        added[name].add_argument("--project", default=os.environ.get("PROJECT", ""))
        added[name].add_argument("--environment", default=os.environ.get("ENVIRONMENT", ""))
    added["jobs-plan"].add_argument("--check", action="store_true")
    added["jobs-import"].add_argument("job", nargs="?", default=os.environ.get("JOB", ""))
    # From the process environment, where make puts them as they are: a job's name may have quotes.
    for name in ("name", "job", "schedule", "owner"):
        added["new-dag"].add_argument(f"--{name}", default=os.environ.get(name.upper(), ""))
    added["open"].add_argument("what", nargs="?", default="airflow")
    added["wait-ready"].add_argument("--seconds", type=int, default=180)
    for name in ("in-airflow", "in-dev"):
        added[name].add_argument("program", nargs=argparse.REMAINDER)
    added["shell"].add_argument("inside", nargs="*")
    added["restart"].add_argument("part", nargs="?", default="")
    added["dag-test"].add_argument("dag_id")
    added["dag-test"].add_argument("--debug", default="")
    added["psql"].add_argument("database")
    added["psql"].add_argument("inside", nargs="*")
    for name in ("snapshot", "restore"):
        added[name].add_argument("name", nargs="?", default="")
    added["upgrade-test"].add_argument("airflow", nargs="?", default="")
    return parser.parse_args(arguments)


def print_error(error: UserError) -> None:
    first, *others = str(error).splitlines()
    print(painted("error:", "red", sys.stderr), first, file=sys.stderr)
    for line in others:
        # What a log says stays as it is: it is further in, and its own breaks mean something.
        below = 4 if line.startswith("  →") else 2
        is_ours = not line.startswith("   ")
        print(fitted(line, below, sys.stderr) if is_ours else line, file=sys.stderr)


def _not_permitted(error: OSError) -> UserError:
    file = Path(str(error.filename))
    return UserError(
        f"{file} cannot be read or written",
        f"{error.strerror}. Another user owns it, or the disk is read-only.",
        (
            f'To see whose it is:   ls -ld "{file.parent}"',
            "Run this as its owner, or clone into a folder of your own.",
        ),
    )


def _interrupted(end: KeyboardInterrupt | EOFError) -> int:
    code = exit_code(end) if isinstance(end, KeyboardInterrupt) else 128 + signal.SIGINT
    who = " by another command: make down, or kill" if code == 128 + signal.SIGTERM else ""
    print(f"\ninterrupted{who}", file=sys.stderr)
    return code


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parse(arguments)
    survive_any_encoding()
    keep_local_calls_away(os.environ)
    if chosen.command != "supervise":  # which listens to signals in its own way
        end_like_ctrl_c()
    try:
        if chosen.command.startswith("jobs-"):
            install.install(("local-dbt-cloud",))
            exec_in_environment("jobs-as-code", arguments, install_first=True)
        if chosen.command in LOOKED_AT:
            exec_in_environment("tools", arguments, install_first=False)
        code = COMMANDS[chosen.command](chosen)
        # Here, where it can be caught that nobody reads any more.
        sys.stdout.flush()
    except UserError as error:
        print_error(error)
        return 1
    except (KeyboardInterrupt, EOFError) as end:
        # This is the end: an impatient second Ctrl-C would only add a traceback.
        with undisturbed():
            return _interrupted(end)
    except BrokenPipeError:
        # The reader, `head` or a pager that was left, has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except OSError as error:
        if error.errno in NO_ROOM:
            print_error(no_room(full_disks(state_folders()), f"{error}."))
        elif error.errno in NOT_PERMITTED and error.filename:
            print_error(_not_permitted(error))
        else:
            raise
        return 1
    return code
