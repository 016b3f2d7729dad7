"""New lines of a run's log appear once, in order, as they come."""

import json

from airflow_dbt_cloud.waiting.run_log import new_lines


def run(*logs, is_complete=False):
    steps = [
        {"index": number, "name": f"step {number}", "logs": log, "finished_at": None}
        for number, log in enumerate(logs, start=1)
    ]
    return {"run_steps": steps, "is_complete": is_complete}


def test_each_line_once():
    """What was shown is not shown again, also when the position went through JSON."""
    first, position = new_lines(run("a\nb\n"), {})
    second, position = new_lines(run("a\nb\nc\n", "d\n"), json.loads(json.dumps(position)))
    third, _ = new_lines(run("a\nb\nc\n", "d\n"), position)

    assert first == ["step 1: step 1", "    a", "    b"]
    assert second == ["    c", "step 2: step 2", "    d"]
    assert third == []


def test_half_a_line_waits():
    """A line that is still being written waits until it is whole, or the run is over."""
    first, position = new_lines(run("a\nhal"), {})
    second, _ = new_lines(run("a\nhalf", is_complete=True), position)

    assert first == ["step 1: step 1", "    a"]
    assert second == ["    half"]


def test_colours_and_empty_lines_are_left_out():
    """Terminal colours are taken out, and lines with nothing in them."""
    lines, _ = new_lines(run("\x1b[32mOK\x1b[0m\n\n   \n"), {})

    assert lines == ["step 1: step 1", "    OK"]


def test_megabytes_in_one_line():
    """A line is as long as a person may read; dbt Cloud has the rest."""
    lines, _ = new_lines(run(f"{'x' * 10_000_000}\nb\n"), {})

    assert lines == ["step 1: step 1", f"    {'x' * 2000}…", "    b"]


def test_no_log_yet():
    """A step without a log, and a run without steps, are no trouble."""
    assert new_lines({"run_steps": None}, {}) == ([], {})
    assert new_lines(run(None), {}) == (["step 1: step 1"], {"1": 0})
