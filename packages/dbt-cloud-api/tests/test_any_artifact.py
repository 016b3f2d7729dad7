"""Whatever stands in dbt's artifacts: results that hold together, or one error that says so."""

import json
import time
from functools import reduce

import pytest
from arbitrary import JSON, one_value_replaced
from dbt_artifacts import MANIFEST, RUN_RESULTS, SOURCES
from hypothesis import example, given
from hypothesis import strategies as st

from dbt_cloud_api.built_models import built_models
from dbt_cloud_api.run_picture import graph, timeline
from dbt_cloud_api.run_results import (
    FAILED,
    SKIPPED,
    WARNED,
    DbtFailureError,
    RunResults,
    UnreadableResultsError,
)
from dbt_cloud_api.source_freshness import StaleSourceError, freshness_of, raise_if_overdue


ANY_RUN_RESULTS = JSON | one_value_replaced(RUN_RESULTS)


def with_first(**values):
    """Give the run_results.json with other values in its first node."""
    first, *others = RUN_RESULTS["results"]
    return RUN_RESULTS | {"results": [first | values, *others]}


def parsed(*artifacts):
    try:
        return RunResults.parse(artifacts)
    except UnreadableResultsError:
        return None


def assert_fit_to_keep(content):
    """Hold a database to take it: JSON without NaN, text without half a surrogate or a NUL."""
    kept = json.dumps(content, ensure_ascii=False, allow_nan=False)
    kept.encode()
    assert "\\u0000" not in kept


def assert_fit_to_show(lines):
    """Hold a terminal and a log to take it: one line, no colours, no half of a surrogate pair."""
    for line in lines:
        line.encode()
        assert not {"\n", "\r", "\x1b"} & set(line)


@given(ANY_RUN_RESULTS)
@example(RUN_RESULTS)
@example(with_first(failures="two"))
@example(with_first(failures=[]))
@example(with_first(adapter_response={"rows_affected": float("inf")}))
@example(with_first(adapter_response={"rows_affected": 2**64}))
@example(with_first(execution_time=10**400))
@example(with_first(execution_time=float("nan")))
@example(with_first(unique_id="model"))
@example(with_first(unique_id="model.p.\ud800"))
@example(with_first(status="\x1b[31merror\n"))
@example(RUN_RESULTS | {"elapsed_time": float("inf")})
@example(RUN_RESULTS | {"metadata": {"invocation_id": {}}})
def test_results_hold_together(artifact):
    """Counts, names, table and verdict agree, and can be kept and shown as they are."""
    results = parsed(artifact)
    if results is None:
        return
    summary, names = results.summary(), [node.unique_id for node in results.nodes]
    failed = results.names(FAILED)

    assert sum(results.count_by_status().values()) == summary["nodes"] == len(set(names))
    assert set(failed + results.names(SKIPPED | WARNED)) <= set(names)
    assert_fit_to_keep(summary)
    table = results.table()
    assert len(table) > len(names)
    assert_fit_to_show(table)
    models = built_models(results)
    assert len(models) <= results.count_by_status().get("success", 0)
    assert_fit_to_keep([model.facts() for model in models])
    assert all(-(2**63) <= (node.rows or 0) < 2**63 for node in results.nodes)
    if failed:
        with pytest.raises(DbtFailureError):
            results.raise_if_any_failed()
    else:
        results.raise_if_any_failed()


@given(st.lists(ANY_RUN_RESULTS | st.just(RUN_RESULTS), max_size=4))
def test_commands_of_one_run(artifacts):
    """The results of several commands are readable where each is, and have the nodes of all."""
    each, together = [parsed(artifact) for artifact in artifacts], parsed(*artifacts)

    assert (together is None) == (None in each)
    if together is not None:
        assert {node.unique_id for node in together.nodes} == {
            node.unique_id for results in each for node in results.nodes
        }


@given(one_value_replaced(RUN_RESULTS) | st.just(RUN_RESULTS), JSON | one_value_replaced(MANIFEST))
@example(with_first(timing=[{"started_at": "0001-01-01T00:00:00"}]), MANIFEST)
@example(with_first(timing=[{"started_at": "9999-12-31T23:59:59"}]), MANIFEST)
@example(with_first(execution_time=1e308), MANIFEST)
@example(RUN_RESULTS, [])
@example(RUN_RESULTS, {"nodes": {"model.p.a": {"group": "finance"}}, "groups": {"x": {}}})
@example(RUN_RESULTS, {"parent_map": {"model.p.a": ["model.p.a", {}]}})
@example(RUN_RESULTS, MANIFEST | {"nodes": {"model.p.a": {"attached_node": []}}})
def test_pictures(artifact, manifest):
    """A picture lies in its frame, no box on another, whatever the manifest says."""
    results = parsed(artifact)
    if results is None:
        return
    bars, drawn = timeline(results, manifest), graph(results, manifest)

    assert all(0 <= bar.left <= 100 and 0 < bar.width <= 100 for bar in bars)
    assert_fit_to_show(bar.owner for bar in bars)
    places = {(box.column, box.row) for box in drawn.boxes}
    assert len(places) == len(drawn.boxes) <= drawn.columns * drawn.rows
    assert {box for line in drawn.lines for box in line} <= set(drawn.boxes)


@given(JSON | one_value_replaced(SOURCES), JSON | one_value_replaced(MANIFEST))
@example(SOURCES, MANIFEST)
@example({"results": [{"unique_id": "x", "status": "pass"}]}, {"sources": None})
@example(
    {"results": [{"unique_id": "x", "status": "pass", "max_loaded_at_time_ago_in_s": 1e300}]}, {}
)
def test_freshness(sources, manifest):
    """Every source that was looked at has a line, or the file is said to be none of dbt's."""
    try:
        found = freshness_of(sources, manifest)
    except UnreadableResultsError:
        return
    assert len(found) == len(sources.get("results", ()))
    assert_fit_to_show(each.line() for each in found)
    try:
        raise_if_overdue(found)
    except StaleSourceError as error:
        assert_fit_to_show([str(error)])


def test_what_is_nested_too_deep():
    """Lists in lists in lists are no trouble either."""
    deep = reduce(lambda inner, _: [inner], range(100_000), 1)

    for artifact in (with_first(message=deep), with_first(unique_id=deep), [deep]):
        assert parsed(artifact) is None
    assert len(timeline(parsed(RUN_RESULTS), {"nodes": {"model.p.a": {"group": deep}}})) == 4


@pytest.mark.parametrize("above", ["nothing", "the one before", "the first"])
def test_many_models(above):
    """Twenty thousand models, in a row or beside one another, take a moment and not an hour."""
    names = [f"model.p.m{number}" for number in range(20_000)]
    first = RUN_RESULTS["results"][1]
    results = RunResults.parse(
        [RUN_RESULTS | {"results": [first | {"unique_id": name} for name in reversed(names)]}]
    )
    parents = {"nothing": [], "the one before": names, "the first": names[:1] * len(names)}[above]
    manifest = MANIFEST | {
        "parent_map": {name: [parent] for name, parent in zip(names[1:], parents, strict=False)}
    }
    started = time.process_time()
    drawn = graph(results, manifest)
    assert len(timeline(results, manifest)) == len(drawn.boxes) == len(names)
    assert len(results.table()) == len(names) + 1

    assert drawn.columns == {"nothing": 1, "the one before": len(names), "the first": 2}[above]
    assert time.process_time() - started < 3
