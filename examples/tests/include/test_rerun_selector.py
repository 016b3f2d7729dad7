"""Which nodes to run again: by names that dbt understands."""

import pytest

from dbt_cloud_api.run_results import RunResults
from examples.include.rerun_selector import NothingFailedError, selector_of


def results(**status_by_id):
    """Results of nodes, whose ids are written with two underscores for a dot."""
    nodes = [
        {"unique_id": name.replace("__", "."), "status": status}
        for name, status in status_by_id.items()
    ]
    return RunResults.parse([{"metadata": {"invocation_id": "x"}, "results": nodes}])


@pytest.mark.parametrize(
    ("unique_id", "selector"),
    [
        ("model__flights__stg_flights", "stg_flights+"),
        ("model__flights__orders__v2", "orders.v2+"),
        ("test__flights__not_null_a_b__3cb70b16bc", "not_null_a_b+"),
        ("unit_test__flights__delays__cancelled_counts", "cancelled_counts+"),
        ("seed__flights__airlines", "airlines+"),
    ],
    ids=["model", "version of a model", "dbt test", "unit test", "seed"],
)
def test_name(unique_id, selector):
    """Every kind of node is named as `dbt build --select` wants it."""
    assert selector_of(results(**{unique_id: "error"})) == selector


def test_only_what_failed():
    """What succeeded is left out, and what was skipped comes behind what failed."""
    selector = selector_of(
        results(
            model__p__b="error", model__p__a="fail", model__p__c="skipped", model__p__d="success"
        )
    )

    assert selector == "a+ b+"


def test_nothing_failed():
    """A run in which no node failed has nothing to select, and `--select` of nothing is all."""
    with pytest.raises(NothingFailedError):
        selector_of(results(model__p__a="success"))
