"""Whatever the artifacts of a failed run say: people are told in words why it failed."""

import json
import time
from types import SimpleNamespace

import pytest
from arbitrary import JSON, examples, one_value_replaced
from dbt_artifacts import MANIFEST, RUN_RESULTS, SOURCES
from hypothesis import example, given

from airflow_dbt_cloud.calls.api_errors import UnavailableError
from airflow_dbt_cloud.failing.outcome import Outcome
from airflow_dbt_cloud.failing.triage import stale_sources, triage_run
from dbt_cloud_api.run_results import FAILED, RunResults, UnreadableResultsError


RUN = {
    "id": 3,
    "status": 20,
    "status_message": None,
    "href": "https://localhost:8443/deploy/1/projects/2/runs/3/",
    "run_steps": [{"index": 4, "name": "Invoke dbt with `dbt build`", "status": 20, "logs": "x"}],
}


@examples(0.5)
@given(one_value_replaced(RUN_RESULTS), JSON | one_value_replaced(MANIFEST), JSON)
@example(RUN_RESULTS, {"nodes": [], "child_map": {"model.p.b.v2": [{}]}}, SOURCES)
@example(RUN_RESULTS, {"nodes": {"model.p.b.v2": {"attached_node": {}}}}, SOURCES)
@example(RUN_RESULTS, {"nodes": {"model.p.b.v2": {"original_file_path": "\ud800"}}}, SOURCES)
def test_any_artifacts(artifact, manifest, sources):
    """The explanation can be kept and shown; an artifact that is none is said to be none."""
    try:
        results, stale = RunResults.parse([artifact]), stale_sources(sources)
    except UnreadableResultsError:
        return
    failure = triage_run(RUN, [artifact], manifest, stale, resumes=True)

    assert [node.unique_id for node in failure.failed] == results.names(FAILED)
    assert not {"\n", "\x1b"} & set("".join(failure.lines()))
    json.dumps(failure.as_xcom(), ensure_ascii=False, allow_nan=False).encode()


def test_very_many_failed_and_very_many_skipped():
    """Three thousand failed nodes before a chain of three thousand skipped ones take a moment."""
    results = [{"unique_id": f"model.p.failed{each}", "status": "error"} for each in range(3000)]
    results += [{"unique_id": f"model.p.late{each}", "status": "skipped"} for each in range(3000)]
    children = {f"model.p.failed{each}": ["model.p.late0"] for each in range(3000)}
    children |= {f"model.p.late{each}": [f"model.p.late{each + 1}"] for each in range(2999)}
    began = time.process_time()

    failure = triage_run(RUN, [{"results": results}], {"child_map": children}, resumes=True)

    assert time.process_time() - began < 5
    assert [len(failure.failed), len(failure.failed[0].skipped)] == [3000, 3000]


class Past:
    """Stands for dbt Cloud and the way to it: an earlier run's results are gone, or broken."""

    def __init__(self, left):
        self.left, self.log, self.warnings = left, self, []

    def run(self, run_id, *related):
        return RUN | {"id": run_id}

    def get_job_run_artifact(self, run_id, *which):
        if run_id != RUN["id"] and isinstance(self.left, Exception):
            raise self.left
        content = RUN_RESULTS if run_id == RUN["id"] else self.left
        return SimpleNamespace(json=lambda: content)

    def warning(self, message, *values):
        self.warnings.append(message % values)


@pytest.mark.parametrize("left", [UnavailableError("502"), {"results": [1]}, []])
def test_earlier_results_that_cannot_be_had(left):
    """A run that resumed another and succeeded has built what it says, whatever is left of that."""
    past = Past(left)
    outcome = Outcome(past, None)
    run = RUN | {"status": 10, "retrying_run_id": 2}
    outcome.results(run)

    assert [model.name for model in outcome.built(run, past)] == ["raw", "a"]
    assert ["before had built is left out" in each for each in past.warnings] == [True]
