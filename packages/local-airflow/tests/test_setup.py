"""
`make setup`, typed by a person and called by a script.

The local dbt Cloud of the running stack plays the account: another clone, which trusts its
authority by EXTRA_CA_FILE, is set up for it as for any account.
"""

import json
import re
import shutil

import pytest
from native_stack import Stack
from repository_copy import ROOT
from terminal import read_all, start

from local_airflow.setup.env_file import change_settings, with_settings


ACCOUNT, PROJECT, JOB, OTHER_JOB = 70403103900001, 70403103900011, 70403103900101, 70403103900102


class Account:
    """What a person has who wants to use an account: a host and a token."""

    def __init__(self, stack):
        self.host = f"localhost:{stack.ports['LOCAL_DBT_CLOUD_PORT']}"
        self.token = (stack.state / "secrets/local_dbt_cloud_token").read_text().strip()
        self.page = f"https://{self.host}/deploy/{ACCOUNT}"
        self.authority = stack.state / "tls/ca.pem"

    def job_page(self, job=JOB):
        return f"{self.page}/projects/{PROJECT}/jobs/{job}"


@pytest.fixture(scope="module")
def account(running_stack):
    return Account(running_stack)


@pytest.fixture
def clone(account, tmp_path):
    """A clone of somebody's own, with a .env that has comments and settings in it."""
    stack = Stack(tmp_path)
    text = (ROOT / ".env.example").read_text()
    for name, value in {**stack.ports, "EXTRA_CA_FILE": account.authority}.items():
        text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    stack.env_file.write_text(text + "AIRFLOW__CORE__PARALLELISM=8\n")
    return stack


def settings(stack):
    lines = stack.env_file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


def last_run(stack):
    """The id of the account's newest run."""
    report = json.loads(stack.make("status", "--format", "json").stdout)
    return (report["dbt_cloud"]["last_run"] or {}).get("id")


class TestPerson:
    def test_from_a_host_to_a_run(self, clone, account):
        """
        A host and a token are enough: names to choose from, .env, the doctor, a run on yes.

        The token is not shown when it is typed, nor anywhere later.
        """
        before = clone.env_file.read_text()
        terminal = start(clone, "setup")
        terminal.expect("the word local: ")
        terminal.sendline(account.page)
        terminal.expect("Service token .not shown.: ")
        terminal.sendline(account.token)
        shown = terminal.before
        terminal.expect("project: Flights, the only one")
        terminal.expect("environment: Production, the only one")
        terminal.expect(r"1 +Build flights.*?2 +Build one month")
        terminal.expect("a part of its name: ")
        terminal.sendline("hourly")
        terminal.expect("hourly is none of them")
        terminal.sendline("one month")
        terminal.expect("wrote ")
        # As little as fits: the name comes again, behind what is waited for next.
        terminal.expect("job .*?Build one month")
        terminal.expect("A run would be")
        terminal.expect("commands +dbt build --select")
        terminal.expect("Type yes: ")
        terminal.sendline("yes")
        terminal.expect("run [0-9]+: https://")
        shown += terminal.before + read_all(terminal)

        assert terminal.exitstatus == 0
        assert "Success" in shown
        assert account.token not in shown
        after = settings(clone)
        assert after["DBT_CLOUD_JOB_URL"] == account.job_page(OTHER_JOB)
        assert after["DBT_CLOUD_API_TOKEN"] == account.token
        unchanged = [line for line in before.splitlines() if line[:9] != "DBT_CLOUD"]
        assert [line for line in clone.env_file.read_text().splitlines() if line in unchanged] == (
            unchanged
        )
        assert clone.env_file.stat().st_mode & 0o777 == 0o600

    def test_nothing_is_started_without_a_yes(self, clone, account, running_stack):
        """Anything but the word yes starts nothing; the settings are written all the same."""
        before = last_run(running_stack)
        terminal = start(clone, "setup", DBT_CLOUD_API_TOKEN=account.token)
        terminal.expect("the word local: ")
        terminal.sendline(account.job_page())
        terminal.expect("Type yes: ")
        terminal.sendline("y")
        terminal.expect("Nothing was started. Now:   make up")
        read_all(terminal)

        assert terminal.exitstatus == 0
        assert settings(clone)["DBT_CLOUD_JOB_URL"] == account.job_page()
        assert last_run(running_stack) == before

    def test_wrong_answer_is_asked_again(self, clone, account):
        """What is no address is refused with an example, and asked for again; Ctrl-C ends it."""
        before = clone.env_file.read_text()
        terminal = start(clone, "setup")
        terminal.expect("the word local: ")
        terminal.sendline("my account")
        terminal.expect("this is no address of dbt Cloud: my account")
        terminal.expect("the word local: ")
        terminal.sendintr()
        shown = read_all(terminal)

        assert terminal.exitstatus == 130
        assert "Traceback" not in shown
        assert clone.env_file.read_text() == before

    def test_end_of_input(self, clone):
        """Ctrl-D ends it as well, without a traceback."""
        terminal = start(clone, "setup")
        terminal.expect("the word local: ")
        terminal.sendeof()
        shown = read_all(terminal)

        assert terminal.exitstatus == 130
        assert "Traceback" not in shown


class TestScript:
    def test_by_names(self, clone, account):
        """Variables answer every question, and TRIGGER=yes is the yes."""
        done = clone.make(
            "setup",
            DBT_CLOUD_JOB_URL=account.page,
            DBT_CLOUD_API_TOKEN=account.token,
            DBT_CLOUD_JOB_NAME="build one month",
            TRIGGER="yes",
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert "Success" in done.stdout
        assert account.token not in done.stdout + done.stderr
        assert settings(clone)["DBT_CLOUD_JOB_URL"] == account.job_page(OTHER_JOB)

    def test_only_the_host_and_no_settings_yet(self, clone, account, running_stack):
        """From the host alone the account is found too; .env is begun from .env.example."""
        clone.env_file.unlink()
        (clone.state / "tls").mkdir(parents=True)
        shutil.copy(running_stack.state / "tls/bundle.pem", clone.state / "tls")
        done = clone.make(
            "setup",
            DBT_CLOUD_JOB_URL=account.host,
            DBT_CLOUD_API_TOKEN=account.token,
            DBT_CLOUD_JOB_NAME="Build flights",
        )

        assert settings(clone)["DBT_CLOUD_JOB_URL"] == account.job_page(), done.stderr
        assert settings(clone)["AIRFLOW_PORT"] == "8080"
        assert clone.env_file.stat().st_mode & 0o777 == 0o600

    def test_without_a_yes(self, clone, account):
        """Without TRIGGER=yes nothing is started."""
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=account.job_page(), DBT_CLOUD_API_TOKEN=account.token
        )

        assert done.returncode == 0
        assert "Nothing was started" in done.stdout

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({}, "DBT_CLOUD_JOB_URL is not set"),
            ({"DBT_CLOUD_JOB_URL": "x.dbt.com"}, "DBT_CLOUD_API_TOKEN is not set"),
            ({"DBT_CLOUD_JOB_URL": "not an address"}, "no address of dbt Cloud"),
        ],
    )
    def test_what_is_missing(self, clone, given, words):
        """A variable that is missing or wrong is named; nothing is written."""
        before = clone.env_file.read_text()
        done = clone.make("setup", **given)

        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert clone.env_file.read_text() == before

    @pytest.mark.parametrize(
        ("name", "words"),
        [(None, "DBT_CLOUD_JOB_NAME is not set"), ("hourly", "names no job"), ("b", "several job")],
    )
    def test_job_that_is_left_open(self, clone, account, name, words):
        """A name that fits none or several of the jobs lists them."""
        chosen = {"DBT_CLOUD_JOB_NAME": name} if name else {}
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=account.page, DBT_CLOUD_API_TOKEN=account.token, **chosen
        )

        assert done.returncode == 1
        assert words in done.stderr
        assert "Build flights, Build one month" in done.stderr

    def test_wrong_token(self, clone, account):
        """A token that is not known is explained as the doctor explains it, and not written."""
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=account.job_page(), DBT_CLOUD_API_TOKEN="dbtc_wrong"
        )

        assert done.returncode == 1
        assert "does not know this token" in done.stderr
        assert "Ask an account admin" in done.stderr
        assert settings(clone)["DBT_CLOUD_API_TOKEN"] == ""

    def test_authority_that_is_not_trusted(self, clone, account):
        """A certificate of an unknown authority is explained with the setting that trusts it."""
        text = clone.env_file.read_text()
        clone.env_file.write_text(re.sub("EXTRA_CA_FILE=.*", "EXTRA_CA_FILE=", text))
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=account.job_page(), DBT_CLOUD_API_TOKEN=account.token
        )

        assert done.returncode == 1
        assert "it is signed by: Local dbt Cloud CA" in done.stderr
        assert "EXTRA_CA_FILE=" in done.stderr

    def test_no_such_job(self, clone, account):
        """A job that is not there is said before anything is written."""
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=account.job_page(7), DBT_CLOUD_API_TOKEN=account.token
        )

        assert done.returncode == 1
        assert "there is no job 7 in account Local" in done.stderr
        assert settings(clone)["DBT_CLOUD_JOB_URL"] == ""

    def test_back_to_local(self, clone, account):
        """The word local empties token and address, so that the next start is local again."""
        clone.make("setup", DBT_CLOUD_JOB_URL=account.job_page(), DBT_CLOUD_API_TOKEN=account.token)
        done = clone.make("setup", DBT_CLOUD_JOB_URL="local")

        assert done.returncode == 0
        assert settings(clone)["DBT_CLOUD_API_TOKEN"] == ""
        assert settings(clone)["DBT_CLOUD_JOB_URL"] == ""
        assert settings(clone)["AIRFLOW__CORE__PARALLELISM"] == "8"


class TestEnvFile:
    def test_keeps_everything_else(self):
        """Comments, order and other settings stay; new settings come last; empty ones do not."""
        text = "# a\nA=1\n\n#B=2\nB=\nC=3"

        changed = with_settings(text, {"B": "x", "D": "y", "E": ""})

        assert changed == "# a\nA=1\n\n#B=2\nB=x\nC=3\nD=y\n"

    def test_whole_or_not_at_all(self, tmp_path, monkeypatch):
        """When the last step fails the file is as before, and nothing half written is left."""
        file = tmp_path / ".env"
        file.write_text("A=1\n")

        def fail(*_):
            raise OSError("no space left on device")

        monkeypatch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="no space"):
            change_settings(file, file, {"A": "2"})

        assert [path.name for path in tmp_path.iterdir()] == [".env"]
        assert file.read_text() == "A=1\n"

    def test_a_link_stays_a_link(self, tmp_path):
        """A .env that is a link to a file elsewhere is changed there."""
        (tmp_path / "shared").write_text("A=1\n")
        (tmp_path / ".env").symlink_to("shared")
        change_settings(tmp_path / ".env", tmp_path / "shared", {"A": "2"})

        assert (tmp_path / ".env").is_symlink()
        assert (tmp_path / "shared").read_text() == "A=2\n"
