"""Settings that open something, from a file instead of the process environment."""

import pytest

from dbt_cloud_api.connection_settings import connection_from
from dbt_cloud_api.secret_settings import with_secret_settings
from dbt_cloud_api.user_error import UserError


ACCOUNT = {"DBT_CLOUD_JOB_URL": "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3"}


def test_the_file_wins(tmp_path):
    """The token of the file makes the connection; the environment's empty one does not hide it."""
    file = tmp_path / "settings"
    token = "dbtc_a=b#c"
    file.write_text(
        f"# DBT_CLOUD_API_TOKEN=of-a-comment\nDBT_CLOUD_API_TOKEN={token}\nMODE=docker\n"
    )
    process_env = {**ACCOUNT, "DBT_CLOUD_API_TOKEN": "", "SECRET_SETTINGS_FILE": str(file)}

    settings = with_secret_settings(process_env)

    assert connection_from(settings).token == token
    # Of the rest, the environment says what counts.
    assert "MODE" not in settings


def test_without_a_file_the_environment_counts():
    """Where nobody names a file, as under Astro, the token is in the environment."""
    process_env = {**ACCOUNT, "DBT_CLOUD_API_TOKEN": "dbtc_a"}

    assert connection_from(with_secret_settings(process_env)).token == "dbtc_a"


def test_a_file_that_is_missing_is_an_error(tmp_path):
    """Without its token an account's connection would become the local one, silently."""
    with pytest.raises(UserError, match="secret settings cannot be read"):
        with_secret_settings({"SECRET_SETTINGS_FILE": str(tmp_path / "none")})
