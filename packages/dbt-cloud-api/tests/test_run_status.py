"""The states of a run, by their numbers."""

import pytest

from dbt_cloud_api.run_status import FINAL, UNFINISHED, RunStatus


def test_numbers_and_words():
    """Every number of the API has its word, as the API writes it."""
    assert {int(status): status.humanized for status in RunStatus} == {
        1: "Queued",
        2: "Starting",
        3: "Running",
        10: "Success",
        20: "Error",
        30: "Cancelled",
    }


def test_final_or_not():
    """A run that has ended has one of three states, and never changes again."""
    assert FINAL == (10, 20, 30)
    assert UNFINISHED == (1, 2, 3)


@pytest.mark.parametrize(("number", "is_final"), [(5, False), (40, True)])
def test_a_number_that_is_new(number, is_final):
    """A state that dbt Cloud gets one day fails nobody who waits for a run."""
    status = RunStatus(number)

    assert (int(status), status.is_final) == (number, is_final)


def test_what_is_no_number():
    """A status that is no number is refused: it is another kind of status."""
    with pytest.raises(ValueError, match="Success"):
        RunStatus("Success")
