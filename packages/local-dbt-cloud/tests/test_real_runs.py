"""Runs that really run dbt, in PostgreSQL."""

import re
import shutil
import subprocess

import pytest
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    REAL_DBT,
    REPOSITORY,
    Server,
    declare,
    job,
)


@pytest.fixture(scope="module")
def real(make_server, warehouse):
    """A server that runs real dbt in a real warehouse."""
    jobs = (
        job(JOB, "Build tiny", "dbt build", generate_docs=True, run_generate_sources=True),
        job(OTHER_JOB, "Two commands", "dbt run", "dbt test"),
    )
    server = make_server(declare(*jobs), dbt=REAL_DBT, **warehouse.environment()).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def good_run(real: Server):
    """A run of a job with freshness and docs, finished."""
    return real.finish(real.trigger()["id"])


@pytest.fixture(scope="module")
def failed_run(real: Server):
    """A run whose second model breaks, finished; afterwards the model is good again."""
    model = real.folder / "project/models/two.sql"
    good = model.read_text()
    model.write_text("select id / 0 as id from {{ ref('one') }}\n")
    failed = real.finish(real.trigger(OTHER_JOB)["id"])
    model.write_text(good)
    return failed


class TestGoodRun:
    def test_succeeds_step_by_step(self, good_run):
        """Clone, profile, deps, freshness first, the job's commands, docs last."""
        assert good_run["status"] == 10, good_run["status_message"]
        assert good_run["status_message"] is None
        assert [step["name"] for step in good_run["run_steps"]] == [
            "Clone git repository",
            "Create profile from connection Warehouse",
            "Invoke dbt with `dbt deps`",
            "Invoke dbt with `dbt source freshness`",
            "Invoke dbt with `dbt build`",
            "Invoke dbt with `dbt docs generate`",
        ]
        assert {step["status"] for step in good_run["run_steps"]} == {10}

    def test_builds_in_the_warehouse(self, good_run, warehouse):
        """The models of the project are in the environment's schema."""
        assert warehouse.rows("select id from tiny.two") == [(1,)]

    def test_keeps_logs_per_step(self, good_run):
        """The console has no colour codes; the debug log is dbt's own, and holds no password."""
        build = good_run["run_steps"][4]

        assert "Completed successfully" in build["logs"]
        assert "\x1b[" not in build["logs"] + build["debug_logs"]
        assert "[debug]" in build["debug_logs"]

    def test_artifacts_carry_the_run(self, good_run, real):
        """dbt's metadata names account, project, environment, job and run."""
        results = real.request(
            "GET", f"v2/runs/{good_run['id']}/artifacts/run_results.json", params={"step": 5}
        )

        assert results.headers["content-type"] == "application/json"
        env = results.json()["metadata"]["env"]
        # The keys that were recorded, and no more.
        assert env == {
            "DBT_CLOUD_RUN_ID": str(good_run["id"]),
            "DBT_CLOUD_JOB_ID": str(JOB),
            "DBT_CLOUD_PROJECT_ID": str(PROJECT),
            "DBT_CLOUD_ENVIRONMENT_ID": str(ENVIRONMENT),
            "DBT_CLOUD_ACCOUNT_ID": str(ACCOUNT),
            "DBT_CLOUD_RUN_REASON": "a test",
            "DBT_CLOUD_RUN_REASON_CATEGORY": "other",
            "DBT_CLOUD_RUN_TRIGGER_CATEGORY": "RUN_REASON_CATEGORY_API",
        }

    def test_artifacts_belong_to_steps(self, good_run, real):
        """`step` answers what that step wrote, 404 when it wrote none; the list covers the run."""
        path = f"v2/runs/{good_run['id']}/artifacts/"
        status = {
            step: real.request("GET", f"{path}run_results.json", params={"step": step}).status_code
            for step in range(1, 8)
        }

        assert status == {1: 404, 2: 404, 3: 404, 4: 404, 5: 200, 6: 200, 7: 404}
        assert {"manifest.json", "run_results.json", "catalog.json", "sources.json"} <= set(
            real.get(path)
        )
        assert good_run["artifacts_saved"]
        assert good_run["has_docs_generated"]
        assert good_run["has_sources_generated"]

    def test_uses_the_profile_of_dbt_cloud(self, good_run, real):
        """The profile is called `user`, the target `default`; neither comes from the project."""
        manifest = real.request(
            "GET", f"v2/runs/{good_run['id']}/artifacts/run_results.json", params={"step": 5}
        ).json()

        assert manifest["args"]["profile"] == "user"
        assert manifest["args"]["which"] == "build"


class TestOverrides:
    def test_every_override_reaches_dbt(self, real, warehouse):
        """Steps, schema, threads, target, docs: the run does what its trigger says."""
        command = "dbt --target ci run --select one"
        run = real.finish(
            real.trigger(
                steps_override=[command],
                schema_override="elsewhere",
                threads_override=2,
                target_name_override="ci",
                generate_docs_override=False,
            )["id"]
        )
        results = real.request("GET", f"v2/runs/{run['id']}/artifacts/run_results.json").json()

        assert run["status"] == 10, run["status_message"]
        assert run["run_steps"][1]["name"] == (
            "Create profile from connection Warehouse (override schema to 'elsewhere')"
        )
        assert run["run_steps"][-1]["name"] == f"Invoke dbt with `{command}`"
        assert "Concurrency: 2 threads (target='ci')" in run["run_steps"][-1]["logs"]
        assert warehouse.rows("select id from elsewhere.one") == [(1,)]
        assert [result["unique_id"] for result in results["results"]] == ["model.tiny.one"]


class TestFailedRun:
    def test_names_the_first_failure(self, failed_run):
        """The run is an error that names the model and the database's words."""
        assert failed_run["status"] == 20
        assert "model.tiny.two" in failed_run["status_message"]
        assert "division by zero" in failed_run["status_message"]

    def test_stops_at_the_failing_command(self, failed_run):
        """The command after it does not run; the failing line is in the step's log."""
        last = failed_run["run_steps"][-1]

        assert last["name"] == "Invoke dbt with `dbt run`"
        assert last["status"] == 20
        assert "division by zero" in last["logs"]

    def test_keeps_what_dbt_wrote(self, failed_run, real):
        """A failed run has its results."""
        results = real.request(
            "GET", f"v2/runs/{failed_run['id']}/artifacts/run_results.json", params={"step": 4}
        ).json()

        assert {result["status"] for result in results["results"]} == {"success", "error"}

    def test_rerun_resumes_at_the_failed_model(self, failed_run, real):
        """What had succeeded is not repeated; the commands behind the failed one follow."""
        assert real.get(f"v2/runs/{failed_run['id']}/")["can_retry"] is True

        answer = real.request("POST", f"v2/jobs/{OTHER_JOB}/rerun/").json()["data"]
        resumed = real.finish(answer["id"])
        results = real.request(
            "GET", f"v2/runs/{resumed['id']}/artifacts/run_results.json", params={"step": 4}
        ).json()

        assert answer["retrying_run_id"] == failed_run["id"]
        assert answer["trigger"]["cause_category"] == "rerun"
        assert resumed["status"] == 10, resumed["status_message"]
        assert [step["name"] for step in resumed["run_steps"][3:]] == [
            "Invoke dbt with `dbt retry`",
            "Invoke dbt with `dbt test`",
        ]
        assert [result["unique_id"] for result in results["results"]] == ["model.tiny.two"]

    def test_rerun_that_fails_can_be_rerun(self, real):
        """A resumed run that fails again is resumed again from its own failed step."""
        model = real.folder / "project/models/two.sql"
        good = model.read_text()
        model.write_text("select id / 0 as id from {{ ref('one') }}\n")
        first = real.finish(real.trigger(OTHER_JOB)["id"])
        second = real.request("POST", f"v2/jobs/{OTHER_JOB}/rerun/").json()["data"]
        assert real.finish(second["id"])["status"] == 20
        model.write_text(good)

        third = real.request("POST", f"v2/jobs/{OTHER_JOB}/rerun/").json()["data"]

        assert (second["retrying_run_id"], third["retrying_run_id"]) == (first["id"], second["id"])
        assert real.finish(third["id"])["status"] == 10


class TestCancel:
    def test_a_running_query_is_cancelled(self, real, warehouse):
        """dbt is stopped and its query in the warehouse with it."""
        model = real.folder / "project/models/one.sql"
        good = model.read_text()
        model.write_text("select 1 as id from pg_sleep(60)\n")
        sleeping = (
            "select count(*) from pg_stat_activity"
            " where state = 'active' and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()"
        )
        run = real.trigger(OTHER_JOB, steps_override=["dbt run"], timeout_seconds_override=600)
        try:
            real.wait(run["id"], lambda _: warehouse.rows(sleeping) == [(1,)])
            answer = real.request("POST", f"v2/runs/{run['id']}/cancel/").json()["data"]
        finally:
            model.write_text(good)
        following = real.finish(real.trigger(OTHER_JOB, steps_override=["dbt run"])["id"])
        cancelled = real.get(f"v2/runs/{run['id']}/", include_related="run_steps")

        assert (answer["status"], answer["status_message"]) == (30, "Cancelled by user.")
        assert warehouse.rows(sleeping) == [(0,)]
        assert following["status"] == 10
        assert cancelled["status"] == 30
        assert cancelled["run_steps"][-1]["status"] == 30
        assert cancelled["can_retry"] is False


class TestSecrets:
    def test_the_password_is_nowhere(self, good_run, failed_run, real, warehouse):
        """No file of a run, no log and no page holds the warehouse's password or the token."""
        runs = real.folder / "state/runs"
        found = {
            path.relative_to(runs)
            for path in runs.rglob("*")
            if path.is_file()
            and (
                warehouse.password.encode() in (content := path.read_bytes())
                or real.token.encode() in content
            )
        }

        assert found == set()
        assert warehouse.password not in real.log
        assert real.token not in real.log


class TestSampleJobs:
    def test_both_are_green(self, make_server, flights_in_warehouse):
        """The jobs that the repository declares build the project that it carries."""
        warehouse = flights_in_warehouse
        server = make_server({}, dbt=REAL_DBT, **warehouse.environment())
        server.process_env["LOCAL_DBT_CLOUD_JOBS"] = str(REPOSITORY / "dbt_cloud_jobs.yml")
        server.start()
        try:
            # One after the other: both build the same tables.
            ended = [server.finish(server.trigger(each)["id"], 180) for each in (JOB, OTHER_JOB)]
        finally:
            server.stop()

        assert [(run["status"], run["status_message"]) for run in ended] == [(10, None)] * 2
        assert warehouse.rows("select count(*) > 0 from analytics.monthly_flights") == [(True,)]


class TestGit:
    def test_a_commit_can_be_run(self, make_server, warehouse, tmp_path):
        """`git_branch` and `git_sha` run what is committed, not what lies in the folder."""
        git = shutil.which("git")
        assert git
        server = make_server(
            declare(job(JOB, "Run tiny", "dbt run")), dbt=REAL_DBT, **warehouse.environment()
        )
        sha = commit_everything(server.folder)
        (server.folder / "project/models/two.sql").write_text("select broken\n")
        server.start()
        try:
            run = server.finish(server.trigger(git_sha=sha)["id"])
            missing = server.finish(server.trigger(git_branch="nowhere")["id"])
        finally:
            server.stop()

        assert run["status"] == 10, run["status_message"]
        assert run["git_sha"] == sha
        assert missing["status"] == 20
        assert re.match("Clone git repository: fatal", missing["status_message"])


def commit_everything(folder):
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "project"], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-C", folder, *identity, *command], check=True, timeout=30)
    head = ["git", "-C", folder, "rev-parse", "HEAD"]
    return subprocess.run(
        head, check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()
