import pytest

from include.run_results import DbtFailureError, RunResults


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
