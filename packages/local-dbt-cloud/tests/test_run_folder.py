"""What is read from a run's folder."""

import json

import pytest

from local_dbt_cloud.runs.run_folder import BLOCK, RunFolder, read_log


@pytest.fixture
def log(tmp_path):
    """A log of many blocks, whose lines have every length and letters of several bytes."""
    path = tmp_path / "dbt.log"
    path.write_text("".join(f"{number} {'ä' * (number % 700)}\n" for number in range(3000)))
    assert path.stat().st_size > 10 * BLOCK
    return path


@pytest.mark.parametrize("lines", [1, 2, 1000, 2999, 3000, 5000])
def test_the_last_lines_of_a_log(log, lines):
    """As many whole lines as there are, whatever block they begin in."""
    assert read_log(log, lines) == "".join(read_log(log).splitlines(keepends=True)[-lines:])


@pytest.mark.parametrize("text", ["", "one", "one\n", "one\ntwo", "\n\n\n"])
def test_short_logs(tmp_path, text):
    """A log may be empty, and may end in the middle of a line."""
    path = tmp_path / "dbt.log"
    path.write_text(text)

    assert read_log(path, 1000) == read_log(path) == text


def test_no_log(tmp_path):
    """A step that has written nothing has an empty log."""
    assert read_log(tmp_path / "nothing", 1000) == ""


def test_results_of_several_steps(tmp_path):
    """A node counts once, with its last result; what cannot be read counts for nothing."""
    folder = RunFolder(tmp_path)

    def write(step, text):
        folder.artifacts(step).mkdir(parents=True)
        (folder.artifacts(step) / "run_results.json").write_text(text)

    for step, status in ((4, "error"), (5, "success")):
        write(step, json.dumps({"results": [{"unique_id": "model.tiny.one", "status": status}]}))
    write(6, "[")

    assert [node.status for node in folder.run_results(4, 5, 7).nodes] == ["success"]
    assert folder.run_results(6).nodes == ()
