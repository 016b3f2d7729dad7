"""The key of a run is in its cause, whatever else is, and nothing can cut it off."""

import json

import pytest

from airflow_dbt_cloud.one_run.cause import (
    MAX_LENGTH,
    RunKey,
    cause_of,
    lineage_cause_of,
    name_task_instance,
)


KEY = RunKey("0123456789abcdef", 1)
PARENT = {"run": {"runId": "019a-01"}, "job": {"namespace": "default", "name": "flights.build"}}


class TestKey:
    def test_is_found_in_its_cause_only(self):
        """A key is not found in the cause of another generation, nor of another task instance."""
        cause = cause_of(KEY, "words")

        assert KEY.is_in(cause)
        assert not RunKey("0123456789abcdef", 12).is_in(cause)
        assert not KEY.is_in(cause_of(RunKey("0123456789abcdef", 12), "words"))
        assert not KEY.is_in(cause_of(RunKey("fedcba9876543210", 1), "words"))
        assert not KEY.is_in(None)

    def test_two_airflows_differ(self):
        """The same task of the same dag_run has another name in another Airflow."""
        identity = ("flights", "scheduled__2026-01-01", "build", "-1")

        assert name_task_instance("a", *identity) == name_task_instance("a", *identity)
        assert name_task_instance("a", *identity) != name_task_instance("b", *identity)

    def test_parts_are_not_mixed_up(self):
        """Where one part of the identity ends and the next begins makes a difference."""
        assert name_task_instance("n", "a", "bc") != name_task_instance("n", "ab", "c")


class TestCause:
    @pytest.mark.parametrize("words", ["short", "x" * 1000, "a\nb\tc", "délai " * 100, ""])
    def test_words_are_cut_and_never_the_key(self, words):
        """A cause fits into what dbt Cloud keeps, on one line, and has the whole key."""
        cause = cause_of(KEY, words)

        assert len(cause) <= MAX_LENGTH
        assert "\n" not in cause
        assert KEY.is_in(cause)
        assert KEY.is_in(cause[:60])

    def test_openlineage_keeps_the_key(self):
        """OpenLineage's parent information stays JSON, with the key as one more field."""
        cause = lineage_cause_of(KEY, json.dumps({"parent": PARENT}), "words")

        assert json.loads(cause)["parent"] == PARENT
        assert KEY.is_in(cause)

    def test_openlineage_loses_its_root_first(self):
        """What does not fit loses `root`, then everything but the key and the words."""
        root = {"run": {"runId": "r" * 150}}
        without_root = lineage_cause_of(KEY, json.dumps({"parent": PARENT, "root": root}), "words")
        huge = {"parent": {"run": {"runId": "p" * 300}}}
        plain = lineage_cause_of(KEY, json.dumps(huge), "words")

        assert set(json.loads(without_root)) == {"airflow_key", "parent"}
        assert plain == cause_of(KEY, "words")

    @pytest.mark.parametrize("lineage", ["", "words", "[1]", '"text"'])
    def test_no_openlineage(self, lineage):
        """Where OpenLineage gave nothing, the cause is the plain one."""
        assert lineage_cause_of(KEY, lineage, "words") == cause_of(KEY, "words")
