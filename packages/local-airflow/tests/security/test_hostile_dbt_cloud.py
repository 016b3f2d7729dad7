"""What a dbt Cloud may say that means harm: it governs no terminal, no `.env`, no task's log."""

import json
import re

import pytest
import trustme
from native_stack import Stack
from scripted_dbt_cloud import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    PROJECT,
    TOKEN,
    ScriptedDbtCloud,
    a_job,
    envelope,
)


# A title and a cleared screen, a line of its own in each way that begins one, writing that runs
# backwards, a page's program, a call to everybody, and a setting.
EVIL = (
    "Nightly\x1b]0;mine\x07\x1b[2J\x9b2J\r\nFORGED=1\nFORGED\x85FORGED\u2028FORGED\x0bFORGED"
    "\u202e<script>alert(1)</script> <!channel> [red]@everyone $(id) `id`\0"
)
HUGE = 10 * 1024 * 1024
LOUD = f"{EVIL}{'x' * HUGE}"
NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
RUN = 7
MOMENT = "2026-01-01T00:00:00+00:00"


def evil_run(text=LOUD):
    """A run that has failed, every text of which its author chose."""
    step = {"index": 1, "name": text, "status": 20, "status_humanized": text}
    # What dbt prints has as many lines as it likes.
    step["logs"] = " ".join(text.splitlines())
    return {
        "id": RUN,
        "job_id": JOB,
        "job_definition_id": JOB,
        "status": 20,
        "is_complete": True,
        "retrying_run_id": None,
        **dict.fromkeys(("status_humanized", "status_message", "href", "duration"), text),
        **dict.fromkeys(("created_at", "started_at", "finished_at"), MOMENT),
        "job": {"name": text},
        "trigger": {"cause": text},
        "run_steps": [{**step, "started_at": MOMENT, "finished_at": MOMENT}],
    }


def be_evil(server):
    """Let a dbt Cloud answer as it should, with texts of this kind."""
    named = {"name": EVIL, "type": "deployment"}
    newest = evil_run(EVIL) | {"href": LOUD}
    job = a_job(name=EVIL, execute_steps=[EVIL], most_recent_run=newest)
    server.answer("", 200, data={"id": ACCOUNT, "name": LOUD, "plan": EVIL})
    server.answer(f"jobs/{JOB}/", 200, EVIL, data=job)
    triggered = f"POST /api/v2/accounts/{ACCOUNT}/jobs/{JOB}/run/"
    server.answers[triggered] = envelope(200, data=evil_run())
    server.answer(f"runs/{RUN}/", 200, data=evil_run())
    server.answer(f"projects/{PROJECT}/", 200, data={**named, "id": PROJECT})
    for version, path, content in (
        ("v2", "jobs/", job),
        ("v2", "runs/", evil_run()),
        ("v3", "projects/", {**named, "id": PROJECT}),
        ("v3", f"projects/{PROJECT}/environments/", {**named, "id": ENVIRONMENT}),
    ):
        listed = envelope(200, data=[content])[1]
        listed["extra"] = {"filters": {"limit": 100}, "pagination": {"count": 1, "total_count": 1}}
        server.answers[f"/api/{version}/accounts/{ACCOUNT}/{path}"] = (200, listed)
    server.answers["/api/v2/accounts/"] = envelope(200, data=[{"id": ACCOUNT, "name": EVIL}])
    failed = {"unique_id": f"model.a.{EVIL}", "status": "error", "message": LOUD}
    results = {"metadata": {"invocation_id": EVIL}, "results": [{**failed, "execution_time": 1}]}
    artifact = f"/api/v2/accounts/{ACCOUNT}/runs/{RUN}/artifacts/run_results.json"
    server.answers[artifact] = (200, results)


def send_elsewhere(server, elsewhere):
    server.answer_all(301, "", Location=f"{elsewhere.url}/{EVIL.splitlines()[0]}")


def is_harmless(done):
    """Whatever was printed is text, no line of it is the other side's, and it is not much."""
    printed = done.stdout + done.stderr
    assert NO_TEXT.findall(printed) == []
    assert [line for line in printed.splitlines() if line.strip().startswith("FORGED")] == []
    assert len(printed) < 100_000
    assert "Traceback" not in printed
    return printed


@pytest.fixture(scope="module")
def certificates():
    """An authority that the servers have their certificates from."""
    return trustme.CA()


@pytest.fixture
def dbt_cloud(certificates):
    """A dbt Cloud that means harm."""
    with ScriptedDbtCloud(certificates).serve() as server:
        be_evil(server)
        yield server


@pytest.fixture
def elsewhere(certificates):
    """A server that nobody has business with, in plain HTTP."""
    with ScriptedDbtCloud(certificates, scheme="http").serve() as server:
        yield server


@pytest.fixture
def clone(tmp_path, dbt_cloud):
    """A clone in which nothing runs, for that account."""
    stack, authority = Stack(tmp_path), tmp_path / "authority.pem"
    dbt_cloud.certificates.cert_pem.write_to_path(str(authority))
    stack.write(
        f"DBT_CLOUD_JOB_URL={dbt_cloud.job_url}",
        f"DBT_CLOUD_API_TOKEN={TOKEN}",
        f"EXTRA_CA_FILE={authority}",
    )
    return stack


@pytest.fixture
def running(searched, account):
    """The stack that runs for its account, which means harm for the length of a test."""
    before = dict(account.answers), dict(account.headers)
    be_evil(account)
    yield searched.stack
    account.answers, account.headers = before


class TestNames:
    @pytest.mark.parametrize("command", ["doctor", "jobs-plan"])
    def test_where_nothing_runs(self, clone, command):
        """Names are shown, on the line that they belong to and as text."""
        printed = is_harmless(clone.make(command))

        assert "<script>alert(1)</script>" in printed

    def test_setup(self, clone, dbt_cloud):
        """It chooses, writes `.env` and follows a run; `.env` has no setting that is not ours."""
        before = names_of_settings(clone)
        done = clone.make(
            "setup", DBT_CLOUD_JOB_URL=f"https://localhost:{dbt_cloud.port}", TRIGGER="yes"
        )

        printed = is_harmless(done)
        assert f"run {RUN}: Nightly" in printed
        assert names_of_settings(clone) <= before | {
            f"DBT_CLOUD_{name}" for name in ("HOST", "ACCOUNT_ID", "JOB_ID")
        }

    @pytest.mark.parametrize("form", ["", "json", "env"])
    def test_status(self, running, form):
        """Every format has the names, and no more than one line for each."""
        printed = is_harmless(running.make("status", "--format", form))

        assert "<script>alert(1)</script>" in printed

    def test_run(self, running):
        """A run that fails loudly: the end of the log that is shown is short, and text."""
        done = running.make("run", "dbt_cloud_job")

        assert done.returncode == 1
        assert "dbt_cloud_job" in is_harmless(done)

    def test_log_of_the_task(self, running):
        """So is the whole of its log, each of whose lines is one that Airflow wrote."""
        is_harmless(running.make("run", "dbt_cloud_job"))
        logs = running.state.rglob("logs/tasks/**/dag_id=dbt_cloud_job/**/*.log")

        lines = [line for file in logs for line in file.read_text().splitlines()]
        assert any("<script>" in line for line in lines)
        for line in lines:
            assert NO_TEXT.findall(str(json.loads(line)["event"])) == []
            assert len(line) < 100_000


class TestRedirects:
    @pytest.mark.parametrize("command", ["doctor", "jobs-plan", "setup"])
    def test_where_nothing_runs(self, clone, dbt_cloud, elsewhere, command):
        """The address is named, as text; nobody asks there."""
        send_elsewhere(dbt_cloud, elsewhere)
        printed = is_harmless(clone.make(command, DBT_CLOUD_JOB_URL=dbt_cloud.job_url))

        assert f"localhost:{elsewhere.port}" in printed
        assert elsewhere.requests == []

    @pytest.mark.parametrize("command", ["status", "run"])
    def test_where_it_runs(self, running, account, elsewhere, command):
        """Also from a stack that runs, and from its tasks."""
        send_elsewhere(account, elsewhere)
        printed = is_harmless(running.make(command))

        assert f"localhost:{elsewhere.port}" in printed
        assert elsewhere.requests == []


def names_of_settings(stack):
    return {line.partition("=")[0] for line in stack.env_file.read_text().splitlines()}
