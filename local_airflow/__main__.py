"""The command line of the native mode: `python3 -m local_airflow up`."""

import argparse
import sys


def check_python():
    # No annotations and no f-strings here: an old Python must get as far as this sentence.
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return
    print("error: Python %d.%d does not fit" % sys.version_info[:2], file=sys.stderr)  # noqa: UP031
    print("\n  Airflow 3.3 and its dbt Cloud provider are locked for 3.11 to 3.13.\n", file=sys.stderr)
    print("  -> make up PYTHON=python3.12", file=sys.stderr)
    sys.exit(1)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python3 -m local_airflow")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status", "reset", "install", "lock", "supervise"):
        commands.add_parser(name)
    commands.add_parser("run").add_argument("dag_id")
    commands.add_parser("load").add_argument("month")
    logs = commands.add_parser("logs")
    logs.add_argument("--service")
    logs.add_argument("--lines", type=int, default=30)
    logs.add_argument("--follow", action="store_true")
    return parser.parse_args(arguments)


def perform(chosen):
    from local_airflow import commands, install
    from local_airflow.settings import load_settings
    from local_airflow.supervisor import supervise

    if chosen.command == "run":
        return commands.run(chosen.dag_id)
    if chosen.command == "load":
        return commands.load(chosen.month)
    if chosen.command == "logs":
        return commands.logs(chosen.service, chosen.lines, following=chosen.follow)
    if chosen.command == "supervise":
        return supervise(load_settings())
    if chosen.command == "install":
        return install.install((*install.TO_RUN, "dev"))
    if chosen.command == "lock":
        return install.lock()
    return getattr(commands, chosen.command)()


def main():
    check_python()
    from local_airflow.user_error import UserError

    try:
        return perform(parse(sys.argv[1:]))
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)  # noqa: UP031
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
