"""`make status`, `make open`, `make wait-ready`."""

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from native_stack import Stack
from repository_copy import ROOT
from terminal import COLOUR, read_all, seen, start


JOB_PAGE = "/deploy/70403103900001/projects/70403103900011/jobs/70403103900101"


@pytest.fixture
def asleep(tmp_path):
    """A stack that was never started."""
    return Stack(tmp_path)


class TestStatus:
    def test_for_people(self, running_stack):
        """One screen: parts, addresses, login, mode, LOCAL, job, last run, DAG files, versions."""
        done = running_stack.make("status")
        rows = [line.split(None, 1) for line in done.stdout.splitlines()]
        lines = {row[0]: row[1] for row in rows if len(row) > 1}

        assert done.returncode == 0
        assert lines["mode"] == "native, all healthy"
        assert lines["Airflow"] == running_stack.airflow_url
        assert running_stack.admin_password in lines["login"]
        assert lines["dbt"].startswith("Cloud    LOCAL: Local, https://localhost:")
        assert lines["job"] == "Build flights"
        assert lines["DAG"] == "files    all import"
        assert "Airflow 3.3.2" in lines["versions"]
        assert "dbt Cloud provider 4.11.1" in lines["versions"]

    def test_for_a_shell(self, running_stack):
        """FORMAT=env is what a shell can evaluate, names with blanks in them included."""
        env = running_stack.make("status", "--format", "env")
        script = 'eval "$(cat)"; printf "%s|%s|%s" "$AIRFLOW_URL" "$DBT_CLOUD_JOB_NAME" "$HEALTHY"'
        shell = subprocess.run(
            ["sh", "-c", script], input=env.stdout, capture_output=True, text=True, check=True
        )

        assert shell.stdout == f"{running_stack.airflow_url}|Build flights|true"

    def test_for_programs(self, running_stack):
        """FORMAT=json has the same facts; neither has the token."""
        report = json.loads(running_stack.make("status", "--format", "json").stdout)
        token = (running_stack.state / "secrets/local_dbt_cloud_token").read_text()

        assert report["healthy"] is True
        assert {part["name"] for part in report["parts"]} >= {"scheduler", "triggerer", "postgres"}
        assert report["dbt_cloud"]["kind"] == "LOCAL"
        assert report["dbt_cloud"]["job_url"].endswith("/jobs/70403103900101")
        assert report["import_errors"] == []
        assert token not in json.dumps(report)

    def test_in_a_terminal(self, running_stack):
        """A table with colours; addresses stay whole, so that they can be clicked."""
        raw = read_all(start(running_stack, "status"))

        assert COLOUR.search(raw)
        assert JOB_PAGE in raw
        assert max(len(line) for line in seen(raw) if "://" not in line) <= 80

    @pytest.mark.parametrize(
        ("form", "words"),
        [("", "make up"), ("json", '{"running": false}'), ("env", "HEALTHY=false")],
    )
    def test_when_nothing_runs(self, asleep, form, words):
        """When nothing runs, the exit code is 3, in every format."""
        done = asleep.make("status", "--format", form)

        assert done.returncode == 3
        assert words in done.stdout

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_reader_that_has_enough(self, asleep, unbuffered):
        """A pipe that closes early, as in `make status | head -1`, ends it without a word."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            done = subprocess.run(
                [sys.executable, "-m", "local_airflow", "status"],
                cwd=ROOT,
                env=asleep.process_environment(PYTHONUNBUFFERED=unbuffered),
                stdout=pipe,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=60,
            )

        assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")

    def test_interrupted_before_it_begins(self, asleep, tmp_path):
        """Ctrl-C while Python still imports is no traceback either."""
        (tmp_path / "argparse.py").write_text("raise KeyboardInterrupt\n")
        done = asleep.make("status", PYTHONPATH=str(tmp_path))

        assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")

    @pytest.mark.parametrize("command", ["up", "status", "down"])
    def test_closed_folder(self, asleep, command):
        """A folder in which nothing can be made is named, with what to look at; no traceback."""
        # Closed to everybody, root too.
        done = asleep.make(command, LOCAL_STATE="/sys/closed")

        assert done.returncode == 1
        assert "error: /sys/closed" in done.stderr
        assert "→ To see whose it is:   ls -ld" in done.stderr
        assert "Traceback" not in done.stderr

    def test_account_that_does_not_answer(self, running_stack, tmp_path):
        """When the account is out of reach the rest is shown all the same, with the reason."""
        other = tmp_path / ".env"
        other.write_text(
            running_stack.env_file.read_text()
            + "DBT_CLOUD_JOB_URL=https://no.dbt.com.invalid/deploy/1/projects/2/jobs/3\n"
            "DBT_CLOUD_API_TOKEN=dbtc_x\n"
        )
        done = running_stack.make("status", LOCAL_ENV_FILE=str(other))

        assert "your account: 1, https://no.dbt.com.invalid" in done.stdout
        assert "does not answer" in done.stdout
        assert "make doctor" in done.stdout
        assert "Traceback" not in done.stderr


class TestOpen:
    def test_opens_the_browser(self, running_stack, tmp_path):
        """The browser that the system names gets Airflow's address."""
        browser, opened = tmp_path / "browser", tmp_path / "opened"
        browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
        browser.chmod(0o755)
        done = running_stack.make("open", BROWSER=str(browser))

        assert done.returncode == 0
        assert opened.read_text().strip() == running_stack.airflow_url

    @pytest.mark.parametrize("what", ["dbt-cloud", "address"])
    def test_page_of_dbt_cloud(self, running_stack, what):
        """The job's page, or any that is named; without a browser a link that opens is printed."""
        port = running_stack.ports["LOCAL_DBT_CLOUD_PORT"]
        address = f"https://localhost:{port}{JOB_PAGE}"
        done = running_stack.make("open", address if what == "address" else what, PATH="/nowhere")
        link = done.stdout.split()[-1]
        trusted = ssl.create_default_context(cafile=str(running_stack.state / "tls/bundle.pem"))
        with httpx.Client(verify=trusted, follow_redirects=True, trust_env=False) as browser:
            stranger, page = browser.get(address), browser.get(link)

        assert stranger.status_code == 401
        assert f"{running_stack.airflow_url}/dbt-cloud/open" in stranger.text
        assert (str(page.url), page.status_code) == (address, 200)
        assert "Build flights" in page.text

    def test_no_key_on_a_command_line(self, running_stack, tmp_path):
        """Every user can read how a browser was started: it gets a file that only you can read."""
        browser, opened = tmp_path / "browser", tmp_path / "opened"
        browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
        browser.chmod(0o755)
        done = running_stack.make("open", "dbt-cloud", BROWSER=str(browser))
        page = Path(unquote(urlsplit(opened.read_text().strip()).path))

        assert done.stdout.strip().endswith(JOB_PAGE)
        assert f"{JOB_PAGE}?key=" in page.read_text()
        assert stat.filemode(page.stat().st_mode) == "-rw-------"

    def test_unknown_page(self, running_stack):
        """A page that is not there is an error that names those that are."""
        done = running_stack.make("open", "grafana")

        assert done.returncode == 1
        assert "make open WHAT=dbt-cloud" in done.stderr

    def test_when_nothing_runs(self, asleep):
        """Without a stack there is no page to open."""
        assert "make up" in asleep.make("open").stderr


class TestWait:
    def test_ready_at_once(self, running_stack):
        """A stack that is ready is not waited for."""
        done = running_stack.make("wait-ready", "--seconds", "120")

        assert (done.returncode, done.stdout) == (0, "ready\n")

    def test_gives_up(self, asleep):
        """When the time is over it says what was missing, and ends with 1."""
        done = asleep.make("wait-ready", "--seconds", "1")

        assert done.returncode == 1
        assert "not ready after 1 s: nothing is running" in done.stderr
        assert "make wait-ready SECONDS=2" in done.stderr
