"""What became of the nodes of a run, as any dbt tells it."""

import pytest

from dbt_cloud_api.run_results import DbtFailureError, RunResults, UnreadableResultsError


def result(unique_id, status, **more):
    return {
        "unique_id": unique_id,
        "status": status,
        "execution_time": 1.5,
        "adapter_response": {},
        "message": None,
        "failures": None,
        "timing": [],
        **more,
    }


def artifact(*results, invocation_id="i-1", elapsed_time=2.0):
    return {
        "metadata": {"invocation_id": invocation_id},
        "results": list(results),
        "elapsed_time": elapsed_time,
    }


MODEL = result("model.flights.stg_flights", "success", adapter_response={"rows_affected": 27004})
TEST = result("test.flights.not_null_flight_id.a1b2c3", "pass", failures=0)
WARNING = result("test.flights.tail_number.d4", "warn", failures=7, message="Got 7 results")
ERROR = result("model.flights.orders.v2", "error", message="Database Error\n  no such column")
SKIPPED = result("model.flights.late", "skipped")


class TestParse:
    def test_reads_status_rows_and_seconds(self):
        """A model's rows are what the warehouse says it wrote."""
        (node,) = RunResults.parse([artifact(MODEL)]).nodes

        assert (node.kind, node.name, node.status, node.rows, node.seconds) == (
            "model",
            "stg_flights",
            "success",
            27004,
            1.5,
        )

    def test_rows_that_are_no_number(self):
        """What an adapter gives as text is read where it is a number, and left out else."""
        rows = [
            result("model.f.a", "success", adapter_response={"rows_affected": each})
            for each in ("12", 7.0, "some")
        ]
        nodes = [RunResults.parse([artifact(each)]).nodes[0] for each in rows]

        assert [node.rows for node in nodes] == [12, 7, None]

    def test_rows_of_a_dbt_test_are_its_failures(self):
        """For a dbt test the rows that failed are counted, and its name loses the hash."""
        (node,) = RunResults.parse([artifact(WARNING)]).nodes

        assert (node.rows, node.name) == (7, "tail_number")

    def test_versioned_model_keeps_its_version(self):
        """A versioned model is named with its version, not cut down to the model."""
        (node,) = RunResults.parse([artifact(ERROR)]).nodes

        assert node.name == "orders.v2"

    def test_a_node_of_two_commands_counts_once_with_its_last_result(self):
        """After a retry in the same run, the later result is the one that counts."""
        later = result("model.flights.orders.v2", "success")

        results = RunResults.parse([artifact(ERROR), artifact(later, invocation_id="i-2")])

        assert results.count_by_status() == {"success": 1}
        assert results.invocation_ids == ("i-1", "i-2")
        assert results.seconds == 4.0

    def test_docs_are_no_result(self):
        """A docs step only compiles: it neither hides nor adds anything."""
        docs = artifact(result("model.flights.late", "success"), invocation_id="i-2")
        docs["args"] = {"which": "generate"}

        assert RunResults.parse([artifact(SKIPPED), docs]) == RunResults.parse([artifact(SKIPPED)])

    @pytest.mark.parametrize(
        "content",
        [
            None,
            [],
            {},
            {"results": [None]},
            {"results": [{"status": "success"}]},
            {"results": [{"unique_id": "model.a.b", "status": "success", "timing": 7}]},
            {"results": [{"unique_id": 1, "status": "success", "execution_time": "long"}]},
            {"results": [], "metadata": ["x"]},
        ],
    )
    def test_what_no_dbt_writes(self, content):
        """Whatever else the file holds, it is refused with one error."""
        with pytest.raises(UnreadableResultsError, match="not as dbt writes it"):
            RunResults.parse([content, artifact(MODEL)])

    def test_empty_run_is_no_error(self):
        """A selector that matches nothing gives a run with no nodes, which did not fail."""
        results = RunResults.parse([artifact()])

        results.raise_if_any_failed()
        assert results.summary()["nodes"] == 0


class TestVerdict:
    def test_warnings_are_not_failures(self):
        """A warning is listed as one and fails nothing."""
        results = RunResults.parse([artifact(MODEL, TEST, WARNING)])

        results.raise_if_any_failed()
        assert results.summary()["warned"] == ["test.flights.tail_number.d4"]
        assert results.summary()["failed"] == []

    @pytest.mark.parametrize("status", ["error", "fail", "runtime error", "partial success"])
    def test_failures_are_named(self, status):
        """Every status that dbt counts as a failure raises, with the nodes' names."""
        failed = result("model.flights.late", status)

        with pytest.raises(DbtFailureError, match=r"1 of 2 dbt nodes failed: model\.flights\.late"):
            RunResults.parse([artifact(MODEL, failed)]).raise_if_any_failed()


class TestTable:
    def test_failures_come_last_with_dbts_message(self):
        """The end of the table is what went wrong, in dbt's own words."""
        lines = RunResults.parse([artifact(ERROR, SKIPPED, WARNING, MODEL)]).table()

        assert lines[1].split() == ["success", "model", "stg_flights", "27,004", "1.50"]
        assert [line.split()[0] for line in lines[-3:]] == ["error", "Database", "no"]

    def test_is_aligned(self):
        """Every row has the width of the heading, so the columns stand under one another."""
        lines = RunResults.parse([artifact(MODEL, TEST, SKIPPED)]).table()

        assert {len(line) for line in lines} == {len(lines[0])}


# As each dbt wrote it, but for paths and times.
TIMING = [
    {
        "name": name,
        "started_at": "2026-11-27T02:57:06.947955Z",
        "completed_at": "2026-11-27T02:57:07.947955Z",
    }
    for name in ("compile", "execute")
]
V4 = {
    "status": "success",
    "timing": TIMING,
    "thread_id": "Thread-1 (worker)",
    "execution_time": 0.25,
    "adapter_response": {"_message": "SELECT 3", "code": "SELECT", "rows_affected": 3},
    "message": "SELECT 3",
    "failures": None,
    "unique_id": "model.tiny.a",
}
V5 = {**V4, "compiled": True, "compiled_code": "select 1", "relation_name": '"x"."main"."a"'}
DBT_2 = {
    "status": "success",
    "timing": [{**each, "started_at": "2026-11-27T02:57:06.947955061Z"} for each in TIMING],
    "thread_id": "main",
    "execution_time": 0.25,
    "adapter_response": {"rows_affected": 3},
    "unique_id": "model.tiny.a",
    "relation_name": '"x"."main"."a"',
}


class TestVersions:
    @pytest.mark.parametrize(
        ("schema", "dbt", "node"),
        [
            ("v4", "1.5.11", V4),
            ("v5", "1.7.19", V5),
            ("v6", "1.8.9", V5),
            ("v6", "1.11.16", {**V5, "batch_results": None}),
            ("v6", "2.0.0-preview.196", DBT_2),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_every_dbt_says_the_same(self, schema, dbt, node):
        """The same node, written by dbt 1.5 to 2, is read the same."""
        written = {
            "metadata": {
                "dbt_schema_version": f"https://schemas.getdbt.com/dbt/run-results/{schema}.json",
                "dbt_version": dbt,
                "invocation_id": "i-1",
                "env": {},
            },
            "results": [node],
            "elapsed_time": 0.5,
            "args": {"which": "build"},
        }
        results = RunResults.parse([written])
        (read,) = results.nodes

        assert (read.name, read.status, read.rows, read.seconds) == ("a", "success", 3, 0.25)
        assert read.started_at.isoformat() == "2026-11-27T02:57:06.947955+00:00"
        assert results.summary()["counts"] == {"success": 1}
        assert read.invocation_id == "i-1"

    def test_dbt_2_leaves_out_what_is_null(self):
        """A node that failed at once has a message and no rows, failures or code."""
        (read,) = RunResults.parse(
            [
                {
                    "metadata": {"invocation_id": "i-1"},
                    "results": [{**DBT_2, "status": "error", "adapter_response": {}}],
                    "elapsed_time": 0.0,
                    "args": {"command": "build", "which": "build"},
                }
            ]
        ).nodes

        assert (read.rows, read.message) == (None, "")

    def test_reused_is_no_failure(self):
        """What dbt 2 did not build anew, because nothing had changed, stands with the good ones."""
        reused = result("model.flights.same", "reused")
        lines = RunResults.parse([artifact(ERROR, reused)]).table()

        assert lines[1].split()[0] == "reused"
