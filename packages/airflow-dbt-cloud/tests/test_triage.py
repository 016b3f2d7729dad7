"""Why a task failed: which side, which node, whose it is, what was skipped, what to do next."""

import itertools
import json
import time

import pytest

from airflow_dbt_cloud.failing.triage import stale_sources, triage_error, triage_run
from airflow_dbt_cloud.failure import (
    AIRFLOW,
    CREDENTIALS,
    DBT_CLOUD,
    DBT_NODE,
    DBT_PROJECT,
    NETWORK,
)


LINK = "https://localhost:8443/deploy/1/projects/2/runs/3/"


def step(index, name, status=10, logs=""):
    return {"index": index, "name": name, "status": status, "logs": logs}


def run(status=20, *steps, message=None):
    return {
        "id": 3,
        "status": status,
        "status_message": message,
        "href": LINK,
        "run_steps": list(steps) or [step(1, "Clone git repository")],
    }


def result(unique_id, status, message=""):
    return {"unique_id": unique_id, "status": status, "message": message, "execution_time": 1}


RESULTS = {
    "metadata": {"invocation_id": "a"},
    "elapsed_time": 1,
    "results": [
        result("model.flights.stg_flights", "success"),
        result("model.flights.monthly", "error", "Database Error\n  column x does not exist"),
        result("model.flights.report", "skipped"),
        result("test.flights.not_null_report_id.0123", "skipped"),
        result("model.flights.elsewhere", "success"),
        result("test.flights.unique_stg.4567", "fail", "Got 2 results"),
        result("test.flights.late.89ab", "warn", "Got 4 results"),
    ],
}
MANIFEST = {
    "nodes": {
        "model.flights.monthly": {
            "original_file_path": "models/marts/monthly.sql",
            "group": "operations",
        },
        "test.flights.unique_stg.4567": {
            "original_file_path": "models/staging/stg_flights.yml",
            "attached_node": "model.flights.stg_flights",
        },
        "model.flights.stg_flights": {"config": {"meta": {"owner": "Data platform"}}},
    },
    "groups": {"g": {"name": "operations", "owner": {"name": "Flight operations"}}},
    "child_map": {
        "model.flights.monthly": ["model.flights.report"],
        "model.flights.report": ["test.flights.not_null_report_id.0123"],
    },
}
BUILD = step(4, "Invoke dbt with `dbt build`", 20, "line 1\nline 2\n")


class TestDbtNode:
    def failure(self, **more):
        return triage_run(run(20, BUILD), [RESULTS], MANIFEST, resumes=True, **more)

    def test_each_node_with_file_owner_and_what_it_took_along(self):
        """Each failed node has its message, file and owner, and the nodes skipped because of it."""
        failure = self.failure()

        assert failure.side == DBT_NODE
        monthly, unique = failure.failed
        assert (monthly.file, monthly.owner) == ("models/marts/monthly.sql", "Flight operations")
        assert monthly.skipped == ("report", "not_null_report_id")
        assert "column x does not exist" in monthly.message
        assert (unique.kind, unique.owner, unique.skipped) == ("test", "Data platform", ())

    def test_text_says_what_to_do(self):
        """The text ends with the next step, and names the run and the step."""
        lines = self.failure().lines()

        assert lines[0] == "dbt Cloud run 3 failed: 2 dbt nodes failed."
        assert f"  run: {LINK}" in lines
        assert "  step: 4, Invoke dbt with `dbt build`" in lines
        assert lines[-1] == "  next: mend the model, then Clear this task: it resumes at monthly."

    def test_warnings_and_freshness_stand_apart(self):
        """What only warned, and sources without fresh data, are named as no reason."""
        failure = self.failure(stale=("raw.flights (error)",))

        assert failure.warned == ("late",)
        assert [node.name for node in failure.failed] == ["monthly", "unique_stg"]
        assert "  warned, which fails nothing: late" in failure.lines()
        assert any("without fresh data" in line for line in failure.lines())

    def test_xcom_is_json(self):
        """The XCom is JSON, with the same content."""
        xcom = json.loads(json.dumps(self.failure().as_xcom()))

        assert xcom["side"] == DBT_NODE
        assert xcom["failed"][0]["skipped"] == ["report", "not_null_report_id"]
        assert xcom["link"] == LINK

    def test_without_a_manifest(self):
        """Without a manifest the nodes and their messages are still named."""
        failure = triage_run(run(20, BUILD), [RESULTS], {}, resumes=False)

        assert [node.owner for node in failure.failed] == ["", ""]
        assert "owner unknown" in "\n".join(failure.lines())
        assert failure.next_step.endswith("it starts a new run.")


class TestOtherSides:
    @pytest.mark.parametrize(
        "broken",
        [
            step(1, "Clone git repository", 20, "Permission denied (publickey)\n"),
            step(3, "Invoke dbt with `dbt deps`", 20, "Could not find package\n"),
            step(4, "Invoke dbt with `dbt build`", 20, "Compilation Error in model x\n"),
        ],
        ids=lambda each: each["name"],
    )
    def test_dbt_project(self, broken):
        """A step that failed before any node ran is the project's fault; its log says why."""
        failure = triage_run(run(20, broken), [], {}, resumes=True)

        assert failure.side == DBT_PROJECT
        assert failure.log == (broken["logs"].strip(),)
        assert broken["name"] in failure.headline

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (30, "Cancelled by user."),
            (30, "This run timed out after running for 1 day"),
            (20, "The server died."),
        ],
    )
    def test_dbt_cloud(self, status, message):
        """A run that was cancelled, or broke without a failed step, is dbt Cloud's to explain."""
        failure = triage_run(run(status, message=message), [], {}, resumes=True)

        assert failure.side == DBT_CLOUD
        assert message in failure.headline
        assert "starts a new run" in failure.next_step

    def test_run_that_broke_off(self):
        """Where the step was cut short and has not failed, what dbt Cloud says is the reason."""
        freshness = step(4, "Invoke dbt with `dbt source freshness`", 20)
        cut_short = step(5, "Invoke dbt with `dbt build`", 30, "KeyboardInterrupt\n")
        broken = run(20, freshness, cut_short, message="The server was stopped.")

        failure = triage_run(broken, [], {}, resumes=True)

        assert failure.side == DBT_CLOUD
        assert failure.headline.endswith("The server was stopped.")
        assert "KeyboardInterrupt" not in "\n".join(failure.lines())

    def test_freshness_step_is_not_blamed(self):
        """Stale sources fail their step, not the run: the step that failed the run is named."""
        freshness = step(4, "Invoke dbt with `dbt source freshness`", 20)
        build = step(5, "Invoke dbt with `dbt build`", 20)

        failure = triage_run(run(20, freshness, build), [RESULTS], MANIFEST, resumes=True)

        assert failure.step == "5, Invoke dbt with `dbt build`"

    def test_step_behind_a_build_that_succeeded(self):
        """What fails behind nodes that all succeeded is not said to have failed before them."""
        grant = step(5, "Invoke dbt with `dbt run-operation grant`", 20, "no such role\n")
        built = {"metadata": {}, "results": [result("model.flights.report", "success")]}

        failure = triage_run(run(20, grant), [built], {}, resumes=True)

        assert "although no node did" in failure.headline
        assert failure.next_step.endswith("it resumes at this step.")

    def test_results_that_could_not_be_had(self):
        """Without the results nobody says that no node ran."""
        failure = triage_run(run(20, BUILD), [], {}, resumes=False, lacks_results=True)

        assert "cannot be told without its results" in failure.headline

    def test_stale_sources_that_fail_the_run(self):
        """Where the look at the sources is what failed, they are the reason."""
        freshness = step(4, "Invoke dbt with `dbt source freshness`", 20)

        failure = triage_run(run(20, freshness), [], {}, ("raw.flights (error)",), resumes=False)

        assert failure.side == DBT_NODE
        assert "sources have no fresh data" in failure.headline
        assert "  sources without fresh data: raw.flights (error)" in failure.lines()

    @pytest.mark.parametrize(
        ("side", "words"),
        [
            (CREDENTIALS, "put a token"),
            (NETWORK, "reaches dbt Cloud"),
            (DBT_CLOUD, "status page"),
            (AIRFLOW, "parameters"),
        ],
    )
    def test_without_a_run_that_failed(self, side, words):
        """An error on the way to dbt Cloud keeps its own words and says what to do about it."""
        failure = triage_error(RuntimeError("what happened"), side, None, None)

        assert failure.headline == "what happened"
        assert words in failure.next_step


class TestTexts:
    def test_a_name_begins_no_line(self):
        """A name that somebody else chose is part of one line of the log, however long it is."""
        nodes = [result("model.flights.a\nFORGED", "error", f"b\rFORGED\n{'x' * 10_000_000}")]
        steps = [step(4, "Invoke dbt with `dbt build\nFORGED`", 20)]

        failure = triage_run(
            run(20, *steps), [{"metadata": {}, "results": nodes}], {}, (), resumes=False
        )

        lines = failure.lines()
        assert [line for line in lines if "\n" in line or line.startswith("FORGED")] == []
        assert max(map(len, lines)) < 2500


class TestVeryMany:
    def test_log_and_xcom_stay_small(self):
        """Of thousands of failed nodes the first are shown, and how many there are."""
        failed = [result(f"test.f.t{each}.h", "fail", "x\n" * 5000) for each in range(3000)]
        results = {"metadata": {}, "results": failed}

        failure = triage_run(run(20, BUILD), [results], {}, resumes=True)

        assert failure.lines()[0] == "dbt Cloud run 3 failed: 3000 dbt nodes failed."
        assert len("\n".join(failure.lines())) < 10_000
        assert "and 2990 more" in "\n".join(failure.lines())
        assert failure.as_xcom()["failed_nodes"] == 3000
        assert len(json.dumps(failure.as_xcom())) < 400_000

    def test_long_chains_take_no_time(self):
        """What was skipped behind each of many failed nodes is found in seconds, not hours."""
        names = [f"model.f.m{each}" for each in range(2000)]
        manifest = {"child_map": {one: [after] for one, after in itertools.pairwise(names)}}
        nodes = [result(one, "error" if at < 20 else "skipped") for at, one in enumerate(names)]
        began = time.process_time()

        triage_run(run(20, BUILD), [{"metadata": {}, "results": nodes}], manifest, resumes=True)

        assert time.process_time() - began < 2

    def test_what_is_no_text(self):
        """A NUL, half a surrogate pair and a terminal's own signs reach neither log nor XCom."""
        results = {"results": [result("model.f.a", "error", "\x1b[31ma\x1b[0m\x00b\udcff")]}

        failure = triage_run(run(20, BUILD), [results], {}, resumes=True)

        assert failure.failed[0].message == "a\ufffdb\ufffd"
        failure = triage_run(run(20, message="a\x00\udcff"), [], {}, resumes=True)
        assert "a\ufffd\ufffd" in failure.lines()[0]
        assert "a\ufffd\ufffd" in failure.as_xcom()["headline"]


def test_stale_sources():
    """Sources that are too old are named with how bad it is; fresh ones are not."""
    sources = {
        "results": [
            {"unique_id": "source.flights.raw.flights", "status": "error"},
            {"unique_id": "source.flights.raw.planes", "status": "pass"},
        ]
    }

    assert stale_sources(sources) == ("raw.flights (error)",)
    assert stale_sources({}) == ()
