"""Which step of a run is which dbt command."""

import pytest

from include.dbt_cloud.run_steps import command_of, looks_at_freshness


@pytest.mark.parametrize(
    ("step", "command"),
    [
        ("dbt build", "build"),
        ("dbt --warn-error build --select docs", "build"),
        ("dbt --log-level debug run", "run"),
        ("dbt -x test", "test"),
        ("dbt --target=test -t run --no-partial-parse seed", "seed"),
        ("dbt --vars '{month: test, run: it}' build", "build"),
        ("dbt 'build", "'build"),
        ("dbt --version", ""),
        ("dbt run-operation grant", "run-operation"),
        ("dbt docs generate --select run", "docs"),
    ],
)
def test_command(step, command):
    """The command is found behind options, and not in what stands behind it."""
    assert command_of(f"Invoke dbt with `{step}`") == command


def test_other_steps():
    """A step that is none of dbt has no command; both names of freshness are known."""
    assert command_of("Clone git repository") == ""
    assert looks_at_freshness("Invoke dbt with `dbt source snapshot-freshness`")
    assert not looks_at_freshness("Invoke dbt with `dbt build --select freshness`")
