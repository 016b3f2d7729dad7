"""The command line of the native mode: `python3 -m local_airflow up`."""

import sys


def check_python() -> None:
    # Before any other import, and in words that Python 3.6 can read: whoever has the wrong one
    # must get as far as this sentence.
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return
    print("error: Python %d.%d does not fit" % sys.version_info[:2], file=sys.stderr)  # noqa: UP031 # as above
    print("\n  Airflow 3.3 is locked here for Python 3.11 to 3.13.\n", file=sys.stderr)
    print("  -> make up PYTHON=python3.12", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    check_python()

    try:
        from local_airflow.command_line import main

        code = main()
    except KeyboardInterrupt:
        # Ctrl-C before the command line is there to catch it.
        print("\ninterrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
