"""However a log grows, and whenever somebody looks: every line comes once, and in order."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_dbt_cloud.waiting.run_log import last_lines, new_lines
from dbt_cloud_api.plain_text import printable_json


PIECES = st.sampled_from(
    [
        *("\n", "\n\n", "\r\n", "\r", "a", "Done.", " \t", "\x1b[32m", "\x1b[", "0m", "\x1b]0;"),
        *("\x07", "\x1b\\", "\x1b", "\0", "\x85", "\u2028", "\x0b", "\x0c", "\x1c", "\ud800", "ü"),
    ]
)
LOGS = st.lists(st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join), max_size=3)


def run(logs, *, is_over=False):
    """Give a run as the API's clients do, a step for each log; the last may still be at work."""
    steps = [
        {
            "index": number,
            "name": f"step {number}",
            "logs": log,
            "finished_at": "2026-11-27" if is_over or number < len(logs) else None,
        }
        for number, log in enumerate(logs, start=1)
    ]
    return printable_json({"run_steps": steps, "is_complete": is_over})


def all_lines(logs):
    return new_lines(run(logs, is_over=True), {})[0]


@given(LOGS, st.lists(st.integers(0, 100), max_size=6).map(sorted))
@example(["\x1b]0;title\nline\n\x07more\n"], range(101))
@example(["\x1b]0;title\nline\n", "\x07more\n"], range(101))
def test_in_any_portions(logs, looks):
    """What many looks show, each after so many percent, is what one look at the whole shows."""
    shown, position = [], {}
    for number, log in enumerate(logs):
        for percent in looks:
            so_far = [*logs[:number], log[: len(log) * percent // 100]]
            lines, position = new_lines(run(so_far), json.loads(json.dumps(position)))
            shown += lines
    lines, position = new_lines(run(logs, is_over=True), position)

    assert shown + lines == all_lines(logs)
    assert new_lines(run(logs, is_over=True), position)[0] == []


@given(LOGS)
def test_lines_are_fit_for_a_log(logs):
    """A line is one line, with nothing for a terminal in it and no half of a surrogate pair."""
    for line in all_lines(logs):
        line.encode()
        assert line.splitlines() == [line]
        assert not {"\x1b", "\0"} & set(line)


@given(LOGS, st.integers(0, 4), st.integers(0, 20))
def test_the_end_of_a_log(logs, index, count):
    """The last lines of a step are the last of those that are shown of it."""
    log = logs[index - 1 : index] if index else []
    shown = [line.removeprefix("    ") for line in all_lines(log)[1:]]

    assert last_lines(run(logs), index, count) == shown[len(shown) - min(count, len(shown)) :]
