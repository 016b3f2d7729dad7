import pytest

from dbt_cloud_api.dotenv_file import parse_lines, read_dotenv, unknown_settings
from dbt_cloud_api.secret_settings import with_secret_settings
from dbt_cloud_api.user_error import UserError


BROKEN = {
    "export": "export A=1",
    "quotes": 'A="1"',
    "dollar": "A=pa$HOME",
    "comment behind": "A=1 # one",
    "no equals": "A",
    "blank before equals": "A =1",
    "blank at the end": "A=1 ",
    "twice": "B=1",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_refuses_what_its_readers_read_differently(line):
    """A line that Compose, Docker or a shell would read differently is refused by its number."""
    with pytest.raises(UserError, match="line 2"):
        parse_lines(["B=2", line], ".env")


def test_setting_given_twice_names_both_lines():
    """A setting that stands there twice is refused with both line numbers."""
    with pytest.raises(UserError, match=r"line 3(?s:.)*set in line 1 already"):
        parse_lines(["B=2", "", "B=1"], ".env")


def test_never_repeats_a_value():
    """The message about a broken line does not show its value, which may be a token."""
    with pytest.raises(UserError) as refused:
        parse_lines(['DBT_CLOUD_API_TOKEN="dbtc_secret"'], ".env")

    assert "dbtc_secret" not in str(refused.value)


def test_reads_settings_and_skips_comments():
    """Comments and empty lines are skipped, everything behind the first = is the value."""
    assert parse_lines(["# note", "", "A=b=c", "EMPTY="], ".env") == {"A": "b=c", "EMPTY": ""}


def test_mark_of_an_editor_is_read_over(tmp_path):
    """A byte order mark before the first line is no part of its setting, nor of its secret."""
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfDBT_CLOUD_API_TOKEN=dbtc_x\nMODE=\n")

    assert read_dotenv(file) == {"DBT_CLOUD_API_TOKEN": "dbtc_x", "MODE": ""}
    named = with_secret_settings({"SECRET_SETTINGS_FILE": str(file)})
    assert named["DBT_CLOUD_API_TOKEN"] == "dbtc_x"


def test_unknown_setting_names_the_close_one():
    """A misspelt setting is a warning with the name that was meant."""
    (warning,) = unknown_settings({"DBT_CLOUD_API_TOKE": "x", "AIRFLOW__CORE__PARALLELISM": "8"})

    assert "did you mean DBT_CLOUD_API_TOKEN?" in warning
