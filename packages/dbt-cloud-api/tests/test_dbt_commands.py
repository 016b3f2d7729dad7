"""dbt's command line: which command it is, what it leaves, and what no job may run."""

import subprocess
from pathlib import Path

import pytest

from dbt_cloud_api.dbt_commands import (
    ALLOWED_OPTIONS,
    FLAGS,
    PATH_OPTIONS,
    REFUSED_OPTIONS,
    WITH_A_VALUE,
    WITH_WORDS,
    CommandRefusedError,
    allowed_command,
    command_of,
    read_command,
    step_name,
    steps_with_results,
)


REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("dbt build", "build"),
        ("dbt --warn-error build --select docs", "build"),
        ("dbt --target x build", "build"),
        ("dbt --log-level debug run", "run"),
        ("dbt -x test", "test"),
        ("dbt --target=test -t run --no-partial-parse seed", "seed"),
        ("dbt -ttest -dt run snapshot", "snapshot"),
        ("dbt --vars '{month: test, run: it}' build", "build"),
        ("dbt 'build", "'build"),
        ("dbt --version", ""),
        ("dbt run-operation grant", "run-operation"),
        ("dbt docs generate --select run", "docs generate"),
        ("dbt docs --target prod generate", "docs generate"),
        ("dbt docs", "docs"),
        ("build", ""),
        ("", ""),
    ],
)
def test_name(command, name):
    """The command is found behind options and their values, and not in what stands behind it."""
    assert read_command(command).name == name
    assert command_of(step_name(command)).name == name


# What no job may use: it asks, listens, opens a window, sends elsewhere, or is no command.
DECIDED_AGAINST = {
    *("--browser", "--config-dir", "--host", "--macro-debugging", "--no-browser", "--port"),
    *("--no-macro-debugging", "--no-upload-to-artifacts-ingest-api", "--skip-profile-setup"),
    *("--upload-to-artifacts-ingest-api", "--version", "-V", "-v"),
}


@pytest.fixture(scope="module")
def options_of_dbt():
    """Each option of the installed dbt, with its kind: `flag`, `words`, `path` or `word`."""
    ask = """
import click
from dbt.cli.main import cli
from dbt.cli.options import MultiOption
def options(command):
    for each in command.params:
        if isinstance(each, click.Option):
            value = "path" if each.type.name in ("path", "file", "directory") else "word"
            value = "words" if isinstance(each, MultiOption) else value
            for name in (*each.opts, *each.secondary_opts):
                yield name + ":" + ("flag" if each.is_flag else value)
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)
print(" ".join(options(cli)))
"""
    python = REPOSITORY / ".local/dbt/bin/python"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    return {tuple(each.split(":")) for each in done.stdout.split()}


def test_options_with_a_value(options_of_dbt):
    """Every option of the installed dbt that takes a value, or several, is known to do so."""
    with_a_value = {name for name, kind in options_of_dbt if kind != "flag"}

    assert with_a_value - WITH_A_VALUE == set()
    assert {name for name, kind in options_of_dbt if kind == "words"} - WITH_WORDS == set()
    assert {name for name, kind in options_of_dbt if kind == "path"} <= (
        PATH_OPTIONS | REFUSED_OPTIONS
    )


def test_every_option_is_decided(options_of_dbt):
    """Each option of the installed dbt is allowed by name or refused by name, as what it is."""
    undecided = {name for name, _ in options_of_dbt} - DECIDED_AGAINST - REFUSED_OPTIONS
    flags = {name for name in undecided if not name.startswith("--no-")} & {
        name for name, kind in options_of_dbt if kind == "flag"
    }

    assert flags - FLAGS <= WITH_WORDS  # -s is another option of `dbt init`
    assert {name.replace("--no-", "--", 1) for name in undecided} - ALLOWED_OPTIONS == set()
    assert ALLOWED_OPTIONS.isdisjoint(DECIDED_AGAINST | REFUSED_OPTIONS)


class TestSteps:
    def test_steps_with_results(self):
        """Of a run's steps those count in which dbt did something to nodes, in their order."""
        names = [
            "Clone git repository",
            "Invoke dbt with `dbt deps`",
            "Invoke dbt with `dbt source freshness`",
            "Invoke dbt with `dbt --warn-error build`",
            "Invoke dbt with `dbt run-operation grant`",
            "Invoke dbt with `dbt compile`",
            "Invoke dbt with `dbt docs generate`",
        ]
        steps = [{"index": index, "name": name} for index, name in enumerate(names, 1)]

        assert steps_with_results(steps) == [4, 5]

    def test_other_steps(self):
        """A step that is none of dbt has no command."""
        assert command_of("Clone git repository") == read_command("")
        assert command_of("Clone git repository").text == ""

    @pytest.mark.parametrize(
        ("command", "looks"),
        [
            ("dbt source freshness", True),
            ("dbt source snapshot-freshness", True),
            ("dbt source --target prod freshness", True),
            ("dbt build --select freshness", False),
        ],
    )
    def test_freshness(self, command, looks):
        """Both names of freshness are known, and a model of that name is none."""
        assert command_of(step_name(command)).looks_at_freshness is looks

    @pytest.mark.parametrize(
        ("command", "can_be_retried"),
        [("dbt build", True), ("dbt -q retry", True), ("dbt parse", False), ("dbt ls", False)],
    )
    def test_what_dbt_retry_can_take_up(self, command, can_be_retried):
        """Only commands that leave results of nodes can be resumed."""
        assert read_command(command).can_be_retried is can_be_retried


class TestAllowed:
    @pytest.mark.parametrize(
        ("text", "name", "arguments"),
        [
            ("dbt build", "build", ("build",)),
            ("  dbt docs generate --no-compile ", "docs generate",
             ("docs", "generate", "--no-compile")),
            ("dbt --log-level debug run", "run", ("--log-level", "debug", "run")),
            ("dbt --target ci build", "build", ("--target", "ci", "build")),
            ("dbt run --select tag:a+ --vars '{month: 2013-02, b: \"x|y\"}'", "run",
             ("run", "--select", "tag:a+", "--vars", '{month: 2013-02, b: "x|y"}')),
            ("dbt source freshness -o target/fresh.json", "source freshness",
             ("source", "freshness", "-o", "target/fresh.json")),
            ("dbt list --output json -s +a", "list", ("list", "--output", "json", "-s", "+a")),
            ("dbt run-operation grant --args '{to: x}'", "run-operation",
             ("run-operation", "grant", "--args", "{to: x}")),
            ("dbt run --select a b --exclude c d -xt ci", "run",
             ("run", "--select", "a", "b", "--exclude", "c", "d", "-xt", "ci")),
            ("dbt -q --no-partial-parse --warn-error ls", "ls",
             ("-q", "--no-partial-parse", "--warn-error", "ls")),
            ("dbt show --inline 'select 1' --limit -1", "show",
             ("show", "--inline", "select 1", "--limit", "-1")),
            ("dbt -r target/timing --state earlier build", "build",
             ("-r", "target/timing", "--state", "earlier", "build")),
        ],
    )  # fmt: skip
    def test_split_like_a_shell_would(self, text, name, arguments):
        """Quotes hold words together; options may stand before the subcommand."""
        command = allowed_command(text)

        assert (command.name, command.arguments) == (name, arguments)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ls /",
            "dbt",
            "dbt --version",
            "dbt docs",
            "dbt docs serve",
            "dbt init",
            "dbtx build",
            "/usr/bin/dbt build",
            "dbt build; rm -rf /",
            "dbt build && echo done",
            "dbt build | tee log",
            "dbt build > /tmp/log",
            "dbt run --select $(id)",
            "dbt run --select `id`",
            "dbt run\nid",
            "dbt run --select 'unclosed",
            "dbt run --project-dir /etc",
            "dbt --project-dir /etc run",
            "dbt run --profiles-dir=/root/.dbt",
            "dbt run --target-path elsewhere",
            "dbt run --vars --target-path elsewhere",
            "dbt build --state ../../other",
            "dbt build --state=/root",
            "dbt --state /root build",
            "dbt build --record-timing-info ../../timing",
            "dbt build -xr/tmp/timing",
            "dbt source freshness --output /etc/cron.d/x",
            "dbt source freshness -o ~/x",
            "dbt source freshness -o=/etc/cron.d/x",
            "dbt source freshness -qo/etc/cron.d/x",
            "dbt -d --partial-parse-file-path /root/x build",
            "dbt build --partial-parse-file-path=../../x",
            "dbt clean --no-clean-project-files-only",
            "dbt debug --config-dir",
            "dbt debug --config-dir /root",
            "dbt -t ls docs serve",
            "dbt -qt ls docs serve",
            "dbt --target ls docs --host 0.0.0.0 serve",
            "dbt ls docs serve",
            "dbt docs generate serve",
            "dbt run-operation grant serve",
            "dbt --unknown ls docs serve",
            "dbt ls --unknown docs serve",
            "dbt run --select a --unknown b",
            "dbt run -z",
            "dbt run -xz",
            "dbt run -",
            "dbt run -- --target-path elsewhere",
            "dbt run --vars --unknown",
            "dbt run --no-such",
            "dbt run --help",
            "dbt build --upload-to-artifacts-ingest-api",
            "dbt run --macro-debugging",
            "dbt docs generate --port 80",
        ],
    )
    def test_everything_else_is_refused(self, text):
        """Another program, shell syntax, a path out of the project, a command that never ends."""
        with pytest.raises(CommandRefusedError):
            allowed_command(text)
