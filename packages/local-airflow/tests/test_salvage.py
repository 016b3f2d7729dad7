"""What is left of a broken `.env`, with which everything can be stopped."""

import os

import pytest

from local_airflow.base.folders import dotenv_path
from local_airflow.stack.lenient_settings import settings_ignoring_broken_lines


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    """A settings file of its own, and no state."""
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LOCAL_ENV_FILE", str(tmp_path / ".env"))
    return tmp_path / ".env"


class TestWhatIsLeft:
    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("export A=1", "line 3 cannot be read"),
            ("DBT_CLOUD_API_TOKEN='dbtc_x'", "line 3 cannot be read"),
            ("AIRFLOW_PORT=http", "AIRFLOW_PORT=http is not a port"),
            ("AIRFLOW_PORT=7002", "POSTGRES_PORT are both 7002"),
            ("MODE=vagrant", "MODE=vagrant is not there"),
            ("EXTRA_CA_FILE=/nowhere.pem", "/nowhere.pem"),
        ],
    )
    def test_one_wrong_line_takes_nothing_else_along(self, env_file, capsys, broken, said):
        """What is wrong is said in one line; every other setting is kept, also for Compose."""
        text = (
            f"COMPOSE_PROJECT_NAME=mine\nPOSTGRES_PORT=7002\n{broken}\nLOCAL_DBT_CLOUD_PORT=7003\n"
        )
        env_file.write_text(text)

        with settings_ignoring_broken_lines() as settings:
            readable = dotenv_path()
            assert settings.postgres_port == 7002
            assert settings.local_dbt_cloud_port == 7003
            assert settings.is_local
            assert "COMPOSE_PROJECT_NAME=mine" in readable.read_text()
            assert readable.stat().st_mode & 0o777 == 0o600

        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("warning: ")
        assert said in line
        assert line.endswith("; stopping all the same")
        assert not readable.exists()
        assert env_file.read_text() == text
        assert os.environ["LOCAL_ENV_FILE"] == str(env_file)

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00A", b"A=\xe9\nPOSTGRES_PORT=7002\n"])
    def test_file_that_is_no_text(self, env_file, content):
        """A file in another encoding stops nobody either."""
        env_file.write_bytes(content)

        with settings_ignoring_broken_lines() as settings:
            assert settings.postgres_port == (7002 if b"7002" in content else 5433)

    def test_folder_in_its_place(self, env_file):
        """Nor does a folder of that name, which Docker makes where a file was to be mounted."""
        env_file.mkdir()

        with settings_ignoring_broken_lines() as settings:
            assert settings.airflow_port == 8080

    def test_nothing_is_said_when_nothing_is_wrong(self, env_file, capsys):
        """A file that is fine is read as it is."""
        env_file.write_text("POSTGRES_PORT=7002\n")

        with settings_ignoring_broken_lines() as settings:
            assert settings.postgres_port == 7002
            assert dotenv_path() == env_file

        assert capsys.readouterr().err == ""
