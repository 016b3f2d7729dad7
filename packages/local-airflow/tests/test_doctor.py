"""`make doctor` where nothing runs: the machine, the files, the repository."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from native_stack import Stack
from repository_copy import copy_repository, launcher_path

from local_airflow.doctor import machine, pins, repository
from local_airflow.doctor.findings import Level
from local_airflow.stack.settings import load_settings


A_TOKEN = "dbtc_" + "Ab3" * 13


@pytest.fixture
def stack(tmp_path):
    """A clone in which nothing was ever started."""
    return Stack(tmp_path)


def doctor(stack, **more):
    """The report of the real command as JSON, and its exit code."""
    done = stack.make("doctor", "--format", "json", **more)
    assert done.stderr == ""
    return json.loads(done.stdout), done.returncode


def finding(report, name, level):
    """The finding of this name and level."""
    found = [each for area in report["areas"] for each in area["findings"] if each["name"] == name]
    wanted = [each for each in found if each["level"] == level]
    assert wanted, found
    return wanted[0]


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


class TestReport:
    def test_changes_nothing(self, stack):
        """On a clone in which nothing was started it is not red, and it makes no file."""
        before = everything_below(stack.env_file.parent)
        report, code = doctor(stack)

        assert everything_below(stack.env_file.parent) == before
        assert code == 0
        assert finding(report, "stack", "skipped")
        assert finding(report, "dbt Cloud", "skipped")
        assert finding(report, "secrets", "skipped")

    def test_plain_text_in_a_pipe(self, stack):
        """In a pipe there is no colour, every area has its heading, and the end is a summary."""
        done = stack.make("doctor")
        lines = done.stdout.splitlines()

        assert "\x1b" not in done.stdout
        assert {"This machine", "Files", "Stack", "dbt Cloud from Airflow"} <= set(lines)
        assert lines[-1].endswith("skipped")

    def test_unknown_format(self, stack):
        """A format that is not there is an error with the ones that are."""
        done = stack.make("doctor", "--format", "xml")

        assert done.returncode == 1
        assert "FORMAT=json" in done.stderr
        assert "Traceback" not in done.stderr

    def test_before_anything_is_installed(self, tmp_path):
        """In a fresh clone, with a bare Python, it says what is there and what to type."""
        clone = copy_repository(tmp_path / "clone")
        # Whether an engine answers here or not.
        (clone / ".env").write_text("MODE=native\n")
        done = subprocess.run(
            [str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "local_airflow", "doctor"],
            cwd=clone,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": launcher_path(clone)},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

        assert done.stderr == ""
        assert "- installed: nothing yet: make up installs it" in done.stdout
        assert "- stack: nothing is running; to start it:   make up" in done.stdout
        assert not (clone / ".local").exists()


class TestSettingsFile:
    def test_names_every_broken_line(self, stack):
        """Each broken line of .env is a finding of its own; the rest is examined all the same."""
        stack.write("export A=1", 'DBT_CLOUD_API_TOKEN="dbtc_secret"')
        lines = stack.env_file.read_text().splitlines()
        report, code = doctor(stack)
        broken = [one["found"] for one in report["areas"][1]["findings"] if one["name"] == ".env"]

        assert code == 1
        first, second = len(lines) - 1, len(lines)
        assert [line.split(":")[0] for line in broken if "line " in line] == [
            f".env, line {first} cannot be read",
            f".env, line {second} cannot be read",
        ]
        assert "dbtc_secret" not in json.dumps(report)
        assert finding(report, "git", "ok")

    def test_setting_that_cannot_be(self, stack):
        """What is wrong beyond a single line is a finding too."""
        stack.write(AIRFLOW_PORT="http")
        report, code = doctor(stack)

        assert code == 1
        assert finding(report, ".env", "error")["found"] == "AIRFLOW_PORT=http is not a port"

    def test_unknown_setting(self, stack):
        """A misspelt setting is a warning that names the one that was meant."""
        stack.write("DBT_CLOUD_JOB_UR=x")
        report, code = doctor(stack)

        assert code == 0
        assert "did you mean DBT_CLOUD_JOB_URL" in finding(report, ".env", "warning")["found"]

    def test_editors_of_windows(self, stack):
        """Line endings of Windows are an error with a remedy; a mark before the text is fine."""
        stack.env_file.write_bytes(b"\xef\xbb\xbfMODE=\n")
        report, _ = doctor(stack)
        assert "every line can be read" in finding(report, ".env", "ok")["found"]

        stack.env_file.write_bytes(b"MODE=\r\n")
        report, _ = doctor(stack)
        windows = finding(report, ".env", "error")

        assert "line endings of Windows" in windows["found"]
        assert windows["remedies"][0].startswith("sed --in-place")

    @pytest.mark.parametrize(
        ("shell", "levels"),
        [
            ({"HTTPS_PROXY": "", "ALL_PROXY": "socks5://127.0.0.1:9"}, ["warning"]),
            ({"HTTPS_PROXY": "socks5h://127.0.0.1:9"}, ["warning"]),
            ({"NO_PROXY": "x.invalid", "HTTPS_PROXY": "socks5h://127.0.0.1:9"}, []),
            ({"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}, []),
        ],
    )
    def test_socks_proxy_before_an_account(self, stack, shell, levels):
        """A SOCKS proxy is a warning where it alone would lead to the account."""
        stack.write(
            f"DBT_CLOUD_API_TOKEN={A_TOKEN}", "DBT_CLOUD_JOB_URL=https://x.invalid/deploy/1/jobs/2"
        )
        report, _ = doctor(stack, **shell)
        found = [each for area in report["areas"] for each in area["findings"]]
        about = [each for each in found if "SOCKS" in each["found"]]

        assert [each["level"] for each in about] == levels
        assert all("HTTPS_PROXY=http://" in each["remedies"][0] for each in about)

    def test_token_that_others_can_read(self, stack):
        """A token in a file of mode 0644 is a warning; of 0600 it is none; never shown."""
        stack.write(
            f"DBT_CLOUD_API_TOKEN={A_TOKEN}", "DBT_CLOUD_JOB_URL=https://x.dbt.com/deploy/1/jobs/2"
        )
        stack.env_file.chmod(0o644)
        report, _ = doctor(stack)
        stack.env_file.chmod(0o600)
        closed, _ = doctor(stack)

        assert finding(report, ".env", "warning")["remedies"] == ["chmod 600 .env"]
        assert finding(closed, ".env", "ok")
        assert A_TOKEN not in json.dumps([report, closed])

    def test_file_without_certificates(self, stack, tmp_path):
        """EXTRA_CA_FILE must name a file with certificates."""
        (tmp_path / "authority.pem").write_text("not a certificate")
        stack.write(f"EXTRA_CA_FILE={tmp_path / 'authority.pem'}")
        report, code = doctor(stack)

        assert code == 1
        assert "holds no certificates" in finding(report, ".env", "error")["found"]


class TestMachine:
    def test_taken_port(self, stack):
        """A port that is taken is named with its setting and the program that holds it."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            stack.write(AIRFLOW_PORT=port)
            report, code = doctor(stack)

        taken = finding(report, "ports", "error")
        assert code == 1
        assert f"{port} is taken by" in taken["found"]
        assert str(os.getpid()) in taken["found"]
        assert taken["remedies"][0].endswith(f"AIRFLOW_PORT={port + 1}")

    def test_little_memory(self, monkeypatch):
        """Less memory than the mode needs is a warning before the start, and none after it."""
        monkeypatch.setattr(machine, "_read_memory", lambda: (400, 2048))

        assert machine._memory("native", running=False).level is Level.WARNING
        assert machine._memory("native", running=True).level is Level.OK

    def test_full_disk(self, monkeypatch):
        """A disk without room is an error that says how much is needed."""
        usage = shutil.disk_usage("/")._replace(free=100 * 1024**2)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

        (found,) = machine._disks()

        assert found.level is Level.ERROR
        assert found.found.startswith("only 100 MB free in ")

    def test_clock_before_the_last_commit(self, monkeypatch):
        """A clock from before the last commit is wrong for certain."""
        monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)

        assert "days behind the last commit" in machine._clock().found

    def test_root_without_setpriv(self, monkeypatch):
        """PostgreSQL cannot be started by root without setpriv; the package is named."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(shutil, "which", lambda name: None if name == "setpriv" else name)

        assert next(machine._programs()).remedies == ("apt-get install util-linux",)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A git repository of its own in place of this one."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.setattr(repository, "ROOT", folder)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    (folder / ".gitignore").write_text(".env\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    return folder, git


def examined(name):
    return {each.name: each for each in repository.examine(None)}[name]


class TestRepository:
    def test_clean(self, clone):
        """A repository without tokens and with .env ignored is green."""
        assert {each.level for each in repository.examine(None)} == {Level.OK}

    def test_token_in_a_file(self, clone):
        """A token in a tracked file is red; the file is named, the token is not."""
        folder, git = clone
        (folder / "dag.py").write_text(f"TOKEN = '{A_TOKEN}'\n")
        git("add", "--all")

        assert "dag.py" in examined("token in git").found
        assert A_TOKEN not in str(examined("token in git"))

    def test_token_in_the_history(self, clone):
        """A token that was taken out again is still in the history: the commit is named."""
        folder, git = clone
        for content in (f"TOKEN = '{A_TOKEN}'\n", "TOKEN = ''\n"):
            (folder / "dag.py").write_text(content)
            git("add", "--all")
            git("commit", "--quiet", "--message", "change")

        found = examined("token in git")
        assert found.level is Level.ERROR
        assert "added by commit" in found.found

    def test_words_are_no_tokens(self, clone):
        """What only begins like a token, in a test or a text, is no alarm."""
        folder, git = clone
        (folder / "a.md").write_text("dbtc_paste-the-token-of-your-account-here-please\n")
        git("add", "--all")

        assert examined("token in git").level is Level.OK

    def test_tracked_settings(self, clone):
        """.env in the repository is red."""
        folder, git = clone
        (folder / ".env").touch()
        git("add", "--force", ".env")

        assert examined("git").level is Level.ERROR

    def test_settings_not_ignored(self, clone):
        """.env that git does not ignore is yellow."""
        folder, _ = clone
        (folder / ".gitignore").write_text("")

        assert examined("git").level is Level.WARNING

    def test_line_endings(self, clone):
        """A shell script with line endings of Windows is named."""
        folder, git = clone
        (folder / "run.sh").write_bytes(b"#!/bin/sh\r\necho\r\n")
        git("-c", "core.autocrlf=false", "add", "--all")

        assert "run.sh" in examined("line endings").found

    def test_secrets_that_others_can_read(self, stack, monkeypatch):
        """A secret of this clone with another mode than 0600 is red, with the command for it."""
        for name, value in stack.process_environment().items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        secret = stack.state / "secrets" / "fernet_key"
        secret.chmod(0o644)
        found = repository.examine(settings)[0]

        assert found.level is Level.ERROR
        assert found.remedies == (f"chmod 600 {secret}",)


class TestPins:
    def test_what_was_installed_by_hand(self, tmp_path, monkeypatch):
        """A package in another version than locked, and one that is not locked, are named."""
        site = tmp_path / "local/tools/lib"
        site = site / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        for name, version in {"rich": "1.0", "Some_Thing": "2.0"}.items():
            info = site / f"{name}-{version}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (tmp_path / "requirements").mkdir()
        (tmp_path / "requirements/tools.lock").write_text("rich==15.0.0 \\\n    --hash=x\n")
        monkeypatch.setattr(pins, "ROOT", tmp_path)
        monkeypatch.setattr(pins, "LOCAL", tmp_path / "local")
        monkeypatch.setattr(pins, "is_installed", lambda _: True)
        (found,) = pins.examine()

        assert "rich 1.0 (locked: 15.0.0)" in found.found
        assert "some-thing (not locked)" in found.found

    def test_what_is_installed_here(self):
        """The environments that the tests themselves run in are as locked."""
        assert [each.level for each in pins.examine()] == [Level.OK]
