"""What a task remembers: which generation it is in, and what may have been triggered."""

from dataclasses import replace

import pytest

from airflow_dbt_cloud.one_run.task_memory import STORE_KEY, Place, TaskAttempt, TaskMemory


PLACE = Place("dbt_cloud_default", None, 7)
FIRST = TaskAttempt(
    identity=("flights", "manual__1", "build", "-1"),
    try_number=1,
    max_tries=2,
    retries=2,
    clear_number=0,
    since="2026-01-01T00:00:00+00:00",
)


class Store(dict):
    """Airflow's state store of one task instance."""

    def set(self, key, value):
        self[key] = value


@pytest.fixture
def triggered():
    """The store after a first try that triggered run 5."""
    store = Store()
    memory = TaskMemory.open(store, FIRST, PLACE)
    memory.about_to_trigger(None)
    memory.triggered(5, {"threads_override": 2})
    return store


class TestGeneration:
    @pytest.mark.parametrize(
        ("attempt", "number"),
        [
            (FIRST, 1),
            (replace(FIRST, try_number=3), 1),
            (replace(FIRST, try_number=2, max_tries=3), 2),
            (replace(FIRST, try_number=5, max_tries=6), 5),
            (replace(FIRST, try_number=1, max_tries=2, retries=5), 1),
            (replace(FIRST, try_number=1, max_tries=9, retries=0), 1),
        ],
        ids=["first", "retry", "cleared", "cleared late", "retries raised", "retries lowered"],
    )
    def test_is_its_first_try(self, attempt, number):
        """A generation is known by its first try, which is never after the one that runs."""
        assert TaskMemory.open(Store(), attempt, PLACE).current.number == number

    @pytest.mark.parametrize("retries", [2, 0, 9])
    def test_retry_goes_on(self, triggered, retries):
        """A retry is the same generation, also when `retries` was edited between the two."""
        memory = TaskMemory.open(triggered, replace(FIRST, try_number=2, retries=retries), PLACE)

        assert (memory.current.number, memory.current.run_id) == (1, 5)
        assert memory.previous is None

    def test_clear_begins_the_next(self, triggered):
        """A Clear is the next generation, and knows the one before it."""
        cleared = replace(FIRST, try_number=2, max_tries=3, clear_number=1)

        memory = TaskMemory.open(triggered, cleared, PLACE)

        assert (memory.current.number, memory.current.run_id) == (2, None)
        assert memory.previous.run_id == 5
        assert memory.key != TaskMemory.open(triggered, FIRST, PLACE).key

    def test_clear_after_retries_were_lowered(self, triggered):
        """A Clear that by chance gives the same `max_tries` is still the next generation."""
        cleared = replace(FIRST, try_number=2, max_tries=2, retries=1, clear_number=1)

        memory = TaskMemory.open(triggered, cleared, PLACE)

        assert (memory.current.number, memory.current.run_id) == (2, None)

    def test_clear_of_another_task_is_none_of_this_one(self, triggered):
        """A Clear elsewhere in the dag_run leaves this task's generation as it is."""
        memory = TaskMemory.open(triggered, replace(FIRST, try_number=2, clear_number=4), PLACE)

        assert memory.current.run_id == 5

    def test_number_never_comes_twice(self, triggered):
        """However `retries` was edited, a new generation has a number of its own."""
        odd = replace(FIRST, try_number=2, max_tries=12, retries=12, clear_number=1)

        assert TaskMemory.open(triggered, odd, PLACE).current.number == 2


class TestIntention:
    def test_is_kept_until_the_run_is_known(self):
        """Between the intention and the run, a run may exist that nobody knows."""
        store = Store()
        memory = TaskMemory.open(store, FIRST, PLACE)
        assert not memory.may_have_triggered

        memory.about_to_trigger(retrying=4)
        again = TaskMemory.open(store, replace(FIRST, try_number=2), PLACE)
        assert again.may_have_triggered
        assert again.current.pending.retrying == 4

        again.triggered(5, {})
        assert not TaskMemory.open(store, FIRST, PLACE).may_have_triggered

    def test_overrides_of_a_run_stay(self, triggered):
        """Taking the same run up again does not forget what it was triggered with."""
        memory = TaskMemory.open(triggered, FIRST, PLACE)
        memory.triggered(5, None)

        assert memory.current.overrides == {"threads_override": 2}

    def test_without_a_store(self):
        """Without a store any run may exist, and the key is the same for every try."""
        first = TaskMemory.open(None, FIRST, PLACE)
        first.about_to_trigger(None)
        second = TaskMemory.open(None, replace(FIRST, try_number=2), PLACE)

        assert second.may_have_triggered
        assert first.key == second.key

    def test_recalled_outside_of_the_task(self, triggered):
        """Somebody else reads the same key, place and run, and writes nothing."""
        before = dict(triggered)

        memory = TaskMemory.recall(triggered[STORE_KEY], FIRST.identity)

        assert (memory.place, memory.current.run_id) == (PLACE, 5)
        assert memory.key == TaskMemory.open(triggered, FIRST, PLACE).key
        assert triggered == before
