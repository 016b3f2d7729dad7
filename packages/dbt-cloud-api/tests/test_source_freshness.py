"""How fresh the sources are, and whose they are."""

import pytest

from dbt_cloud_api.source_freshness import StaleSourceError, freshness_of, raise_if_overdue


MANIFEST = {"sources": {"source.p.raw.a": {"config": {"meta": {"owner": "Data platform"}}}}}


def result(name, status, **more):
    return {"unique_id": f"source.p.raw.{name}", "status": status, **more}


def test_line():
    """A line has status, name, age in hours and owner."""
    (found,) = freshness_of(
        {"results": [result("a", "warn", max_loaded_at_time_ago_in_s=7200.0)]}, MANIFEST
    )

    assert found.line().split() == ["warn", "raw.a", "2.0", "h", "Data", "platform"]


def test_the_worst_comes_last():
    """In a long log the last lines are those one sees."""
    statuses = ["error", "pass", "warn"]
    found = freshness_of({"results": [result(s, s) for s in statuses]}, {})

    assert [each.status for each in found] == ["pass", "warn", "error"]


@pytest.mark.parametrize("status", ["error", "runtime error"])
def test_overdue(status):
    """Too old, or not to be read at all: both are errors that name source and owner."""
    found = freshness_of({"results": [result("a", status), result("b", "pass")]}, MANIFEST)

    with pytest.raises(StaleSourceError, match=r"1 of 2 .* raw.a, tell Data platform"):
        raise_if_overdue(found)


def test_a_warning_is_no_error():
    """What dbt warns about raises nothing."""
    raise_if_overdue(freshness_of({"results": [result("a", "warn")]}, MANIFEST))
