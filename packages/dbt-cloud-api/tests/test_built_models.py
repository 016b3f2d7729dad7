"""What was built, by dbt's own word: each model once, also over a resumed run."""

from dbt_cloud_api.built_models import built_models
from dbt_cloud_api.run_results import RunResults


def built(*artifacts):
    return built_models(RunResults.parse(artifacts))


def artifact(invocation_id, *results):
    return {
        "metadata": {"invocation_id": invocation_id},
        "results": [
            {
                "unique_id": unique_id,
                "status": status,
                "execution_time": 0.5,
                "adapter_response": {"rows_affected": rows},
            }
            for unique_id, status, rows in results
        ],
    }


FAILED = artifact(
    "first",
    ("model.flights.stg_flights", "success", -1),
    ("seed.flights.airlines", "success", 16),
    ("model.flights.monthly", "error", 0),
    ("test.flights.unique_id.0123", "pass", 1),
    ("model.flights.report", "skipped", None),
)
RESUMED = artifact(
    "second", ("model.flights.monthly", "success", 12), ("model.flights.report", "success", 3)
)


def test_models_seeds_and_snapshots_that_succeeded():
    """Only what was built counts: no dbt tests, nothing that failed or was skipped."""
    assert [(model.name, model.rows) for model in built(FAILED)] == [
        ("stg_flights", None),
        ("airlines", 16),
    ]


def test_over_a_resumed_run():
    """What the failed run had built is not built again, and counts; each has its invocation."""
    models = {model.name: model for model in built(FAILED, RESUMED)}

    assert set(models) == {"stg_flights", "airlines", "monthly", "report"}
    assert models["airlines"].invocation_id == "first"
    assert models["monthly"].invocation_id == "second"
    assert models["monthly"].facts() == {
        "project": "flights",
        "name": "monthly",
        "rows": 12,
        "seconds": 0.5,
        "invocation_id": "second",
    }


def test_failure_after_a_success_takes_it_back():
    """A model that a later command of the run broke is not new."""
    broken = artifact("third", ("model.flights.monthly", "error", None))

    assert built(RESUMED, broken)[0].name == "report"
