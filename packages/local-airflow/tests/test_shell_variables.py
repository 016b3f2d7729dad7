"""What of a shell each of our processes gets."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from native_stack import UNASKED, Stack
from repository_copy import ROOT, copy_repository, launcher_path

from local_airflow.base.shell_variables import PASSED, of_shell


SOCKS, HTTP = "socks5h://127.0.0.1:1080", "http://127.0.0.1:3128"


def rows_of_docs():
    """The table of docs/settings.md: what each process gets."""
    text = (ROOT / "docs/settings.md").read_text().partition("| process | gets of the shell |")[2]
    lines = text.partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {process.removeprefix("the "): set(kinds.split(", ")) for process, kinds, _ in cells}


def test_docs_have_the_same_table():
    """docs/settings.md says of every process what it gets."""
    assert rows_of_docs() == PASSED


@pytest.mark.parametrize("process", PASSED)
def test_nobody_gets_what_is_for_others_programs(process):
    """What a shell says to its own Python, PostgreSQL, dbt and git's hooks is for none of ours."""
    harmful = ("PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "PGSSLMODE", "PGOPTIONS", "GIT_DIR")
    more = ("DBT_CLOUD_API_TOKEN", "AIRFLOW__CORE__EXECUTOR", "_AIRFLOW_PROCESS_CONTEXT")

    assert of_shell(process, dict.fromkeys((*harmful, *more), "x")) == {}


class TestProxies:
    @pytest.mark.parametrize("process", ["Airflow", "checks of dbt Cloud", "tests"])
    def test_socks_proxy_stays_out(self, process):
        """Who cannot use a SOCKS proxy goes without, and keeps one that speaks HTTP."""
        shell = {"all_proxy": SOCKS, "HTTPS_PROXY": HTTP, "http_proxy": SOCKS}

        assert of_shell(process, shell) == {"HTTPS_PROXY": HTTP}

    def test_one_for_everything_is_spelt_out(self):
        """ALL_PROXY is said by the names that aiohttp reads, unless they say something else."""
        found = of_shell("Airflow", {"ALL_PROXY": HTTP, "http_proxy": "http://other:1"})

        assert found == {"http_proxy": "http://other:1", "https_proxy": HTTP, "HTTPS_PROXY": HTTP}

    @pytest.mark.parametrize("process", ["local dbt Cloud", "uv and pip"])
    def test_git_and_uv_use_every_proxy(self, process):
        """A SOCKS proxy is handed on to whoever can use it."""
        assert of_shell(process, {"ALL_PROXY": SOCKS}) == {"ALL_PROXY": SOCKS}


@pytest.mark.parametrize(("host", "is_said"), [("x.invalid", True), ("localhost:9", False)])
def test_start_says_what_is_left_out(tmp_path, host, is_said):
    """`make up` says in a line that a SOCKS proxy is not used, where it stands before dbt Cloud."""
    stack = Stack(tmp_path)
    with socket.socket() as other:
        # So that nothing is started.
        other.bind(("127.0.0.1", 0))
        other.listen()
        job = (f"DBT_CLOUD_HOST={host}", "DBT_CLOUD_ACCOUNT_ID=1", "DBT_CLOUD_JOB_ID=2")
        stack.write("DBT_CLOUD_API_TOKEN=x", *job, AIRFLOW_PORT=other.getsockname()[1])
        up = stack.make("up", HTTPS_PROXY="", ALL_PROXY=SOCKS)

    assert "is taken" in up.stderr
    warnings = [line for line in up.stderr.splitlines() if "SOCKS" in line]
    assert len(warnings) == is_said
    assert all("HTTPS_PROXY=http://… make up" in line for line in warnings)


def test_nothing_unasked_is_in_a_process(running_stack):
    """Of all that a shell brought, no process of a stack that works has what would harm it."""
    airflow = 0
    for pid, command in running_stack.processes().items():
        try:
            lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        except FileNotFoundError:
            continue  # a task that has ended
        found = dict(line.partition("=")[::2] for line in lines)
        brought = {name for name, value in UNASKED.items() if found.get(name) == value}
        allowed = set() if "postgres" in command else {"HTTP_PROXY", "HTTPS_PROXY"}
        if "supervise" in command or "local_dbt_cloud" in command:
            allowed.add("ALL_PROXY")
        assert brought <= allowed, command
        if "airflow_forks" in command:
            airflow += 1
            assert found["CURL_CA_BUNDLE"] == found["SSL_CERT_FILE"]
    assert airflow


def test_tests_get_no_setting_of_a_shell(tmp_path):
    """`make test` runs with what is in the repository, whatever somebody has exported."""
    shell = {**UNASKED, "MINE": "1", "PATH": "/usr/bin:/bin", "LOCAL_ENV_FILE": "/nowhere/.env"}
    ask = [sys.executable, "-c", "import os; print(*sorted(os.environ))"]
    done = subprocess.run(
        [sys.executable, "-m", "local_airflow", "in-dev", *ask],
        cwd=ROOT,
        env={**shell, "PYTHONPATH": launcher_path(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    names = set(done.stdout.splitlines()[-1].split())
    brought = {"HTTP_PROXY", "HTTPS_PROXY", "WAREHOUSE_HOST", "MINE", "PATH", "LOCAL_ENV_FILE"}
    assert names - {"LC_CTYPE"} == brought | {"NO_PROXY", "no_proxy"}


def test_start_without_any_settings_file(tmp_path):
    """With neither .env nor .env.example, a start says what is missing and what to type."""
    copy = copy_repository(tmp_path)
    (copy / ".env.example").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "local_airflow", "up"],
        cwd=copy,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": launcher_path(copy)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "there is neither .env nor .env.example" in done.stderr
    assert "git checkout .env.example" in done.stderr
    assert "Traceback" not in done.stderr
