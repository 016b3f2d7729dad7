"""dbt's command line: which command it is, what it leaves, and what no job may run."""

import subprocess
from pathlib import Path

import pytest

from dbt_cloud_api.dbt_commands import (
    WITH_A_VALUE,
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


def test_options_with_a_value():
    """Every option of the installed dbt that takes a value is known to take one."""
    ask = """
import click
from dbt.cli.main import cli
def options(command):
    for each in command.params:
        if isinstance(each, click.Option) and not each.is_flag:
            yield from each.opts
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)
print(" ".join(options(cli)))
"""
    python = REPOSITORY / ".local/dbt/bin/python"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) - WITH_A_VALUE == set()


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
            "dbt clean --no-clean-project-files-only",
        ],
    )
    def test_everything_else_is_refused(self, text):
        """Another program, shell syntax, a path out of the project, a command that never ends."""
        with pytest.raises(CommandRefusedError):
            allowed_command(text)
