"""When to look again, and how long to stay away."""

import pytest

from airflow_dbt_cloud.calls.api_errors import read_retry_after
from airflow_dbt_cloud.calls.backoff import backoff
from airflow_dbt_cloud.waiting.pacing import SHORTEST, seconds_until_next_look, usual_seconds


def looks(duration, usual, longest=60.0):
    """The moments of the looks at a run of this duration, until the first one after its end."""
    moments, now = [], 0.0
    while now < duration:
        now += seconds_until_next_look(now, usual, longest)
        moments.append(now)
    return moments


class TestNextLook:
    @pytest.mark.parametrize("duration", [3, 30, 300, 3000])
    def test_unknown_job_is_late_by_a_tenth_at_most(self, duration):
        """The end of a run of a job that nobody knows is seen within a tenth of its time."""
        delay = looks(duration, None, longest=1e9)[-1] - duration

        assert delay <= max(duration * 0.11, SHORTEST)

    @pytest.mark.parametrize("usual", [5, 60, 600, 3600])
    @pytest.mark.parametrize("share", [0.92, 1.0, 1.1])
    def test_usual_end_is_seen_quickly(self, usual, share):
        """A run that ends when its job usually does is seen within a fiftieth of that time."""
        delay = looks(usual * share, usual)[-1] - usual * share

        assert delay <= max(usual * 0.02, SHORTEST) + 0.01

    def test_fewer_looks_between(self):
        """A job whose ten minutes are known needs fewer than 45 looks at it."""
        assert len(looks(600, 600)) < 45

    @pytest.mark.parametrize("usual", [None, 5, 600])
    def test_longest_pause_is_kept(self, usual):
        """No pause is longer than the task allows, nor shorter than the shortest."""
        pauses = [seconds_until_next_look(age, usual, 7) for age in range(-5, 5000, 3)]

        assert min(pauses) >= SHORTEST
        assert max(pauses) <= 7


class TestBackoff:
    def test_doubles_up_to_a_limit_and_is_never_the_same(self):
        """Failures in a row are answered with ever longer pauses, each with a random part."""
        for failures, pause in [(1, 1), (2, 2), (5, 16), (50, 60)]:
            drawn = {backoff(failures) for _ in range(20)}

            assert pause / 2 <= min(drawn)
            assert max(drawn) <= pause
            assert len(drawn) > 1

    def test_retry_after_is_never_shortened(self):
        """What dbt Cloud asks for is the least that is waited."""
        assert min(backoff(1, 30.0) for _ in range(20)) >= 30

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("12", 12.0), (None, None), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
    )
    def test_retry_after_header(self, header, seconds):
        """`Retry-After` is a number of seconds or a date; anything else counts as nothing."""
        assert read_retry_after(header) == seconds


class TestUsualSeconds:
    def test_median_of_the_newest(self):
        """One run that took an hour for once does not change when the next is expected."""
        runs = [
            {
                "created_at": "2026-01-01 00:00:00+00:00",
                "finished_at": f"2026-01-01 {minutes // 60:02}:{minutes % 60:02}:00.5+00:00",
            }
            for minutes in (2, 3, 90)
        ]

        assert usual_seconds(runs) == pytest.approx(180.5)

    def test_none_without_runs(self):
        """A job that never succeeded has no usual time."""
        assert usual_seconds([]) is None
        assert usual_seconds([{"created_at": None, "finished_at": None}]) is None
