"""Which mode a start takes, on machines with and without Docker, and who follows it."""

import pytest

from dbt_cloud_api.user_error import UserError
from local_airflow.running.mode_choice import choose, current
from local_airflow.stack.settings import load_settings


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make a machine: what `.env` says of MODE, and which docker answers there, if any."""
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LOCAL_ENV_FILE", str(tmp_path / ".env"))
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    def make(mode="", engine="", compose="2.26.1"):
        (tmp_path / ".env").write_text(f"MODE={mode}\n")
        if engine:
            docker = programs / "docker"
            docker.write_text(
                "#!/bin/sh\n"
                f'case "$*" in "compose version --short") echo {compose};;'
                f" version*) {'exit 1' if engine == 'down' else f'echo {engine}'};; esac\n"
            )
            docker.chmod(0o755)
        return load_settings()

    return make


class TestChoice:
    def test_engine_that_answers_means_containers(self, machine):
        """With an engine and an empty MODE, a start takes containers and says why."""
        mode, why = choose(machine(engine="26.1.5+dfsg1"))

        assert mode.name == "docker"
        assert "26.1.5" in why

    @pytest.mark.parametrize(
        ("engine", "compose", "words"),
        [
            ("", "", "there is no docker here"),
            ("down", "", "no Docker engine answers"),
            ("24.0.7", "2.26.1", "older than 25"),
            ("26.1.5", "2.17.3", "2.24 or newer"),
        ],
    )
    def test_otherwise_native(self, machine, engine, compose, words):
        """Without a usable engine, a start takes the native mode and says what is missing."""
        mode, why = choose(machine(engine=engine, compose=compose))

        assert mode.name == "native"
        assert words in why

    def test_env_wins(self, machine):
        """MODE=native holds also on a machine with an engine."""
        mode, why = choose(machine(mode="native", engine="26.1.5"))

        assert (mode.name, why) == ("native", "as .env says")

    def test_docker_on_request_needs_an_engine(self, machine):
        """MODE=docker without an engine is refused, with both ways out."""
        with pytest.raises(UserError, match="no docker here") as refused:
            choose(machine(mode="docker"))

        assert "MODE=native" in str(refused.value)

    def test_celery_needs_containers(self, machine):
        """EXECUTOR=celery is refused where everything would run natively."""
        with pytest.raises(UserError, match="one machine"):
            choose(machine(mode="native", engine="26.1.5"), executor="celery")


class TestMemory:
    def test_other_commands_follow_the_last_start(self, machine):
        """After a native start, an engine that appears changes nothing for the other commands."""
        choose(machine())

        assert current(machine(engine="26.1.5")).name == "native"

    def test_before_any_start_they_would_do_the_same(self, machine):
        """With no start to follow, a command looks where a start would go."""
        assert current(machine(engine="26.1.5")).name == "docker"

    def test_celery_is_remembered(self, machine):
        """The other commands use the Celery file too, and as many workers as the start."""
        choose(machine(engine="26.1.5"), executor="celery", workers=5)

        compose = current(machine(engine="26.1.5")).compose

        assert any("compose.celery.yaml" in part for part in compose.base)
        assert compose.environment["WORKERS"] == "5"
