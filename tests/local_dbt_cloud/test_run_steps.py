"""Which texts are dbt commands."""

import pytest

from local_dbt_cloud.run_steps import StepRefusedError, parse_command


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("dbt build", "build", ("build",)),
        ("  dbt docs generate --no-compile ", "docs generate",
         ("docs", "generate", "--no-compile")),
        ("dbt --log-level debug run", "run", ("--log-level", "debug", "run")),
        ("dbt run --select tag:a+ --vars '{month: 2013-02, b: \"x|y\"}'", "run",
         ("run", "--select", "tag:a+", "--vars", '{month: 2013-02, b: "x|y"}')),
        ("dbt source freshness", "source freshness", ("source", "freshness")),
    ],
)  # fmt: skip
def test_dbt_commands_are_split_like_a_shell_would(text, name, arguments):
    """Quotes hold words together; global options may stand first."""
    command = parse_command(text)

    assert (command.name, command.arguments) == (name, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ls /",
        "dbt",
        "dbt --version",
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
        "dbt run --profiles-dir=/root/.dbt",
        "dbt run --target-path elsewhere",
        "dbt build --state ../../other",
        "dbt build --state=/root",
        "dbt clean --no-clean-project-files-only",
    ],
)
def test_everything_else_is_refused(text):
    """Another program, shell syntax, a path out of the project, a command that never ends."""
    with pytest.raises(StepRefusedError):
        parse_command(text)


@pytest.mark.parametrize(
    ("text", "can_be_retried"),
    [("dbt build", True), ("dbt retry", True), ("dbt parse", False), ("dbt ls", False)],
)
def test_what_dbt_retry_can_take_up(text, can_be_retried):
    """Only commands that leave results of nodes can be resumed."""
    assert parse_command(text).can_be_retried is can_be_retried
