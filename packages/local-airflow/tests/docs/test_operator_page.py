"""The examples of docs/operator.md work as they stand, and its table names tests that exist."""

import ast
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG
from code_blocks import blocks


ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs/operator.md"
WEAKNESSES = ROOT / "docs/operator_weaknesses.md"
EXAMPLES = [block for block in blocks(PAGE) if block.language == "python"]
# `test_x.py`, then `test_y` or `TestZ` or `TestZ.test_y`
NAMED = re.findall(r"`([\w/.-]*test_\w+\.py)` `([\w.]+)`", WEAKNESSES.read_text())
TESTS = [
    path
    for folder in (ROOT / "tests", ROOT / "examples/tests", *ROOT.glob("packages/*/tests"))
    for path in folder.rglob("test_*.py")
]


def test_examples_work():
    """Each example can be put into a DAG; what one imports, a later one may use."""
    names = {}
    for example in EXAMPLES:
        with DAG("of_the_page", schedule=None):
            exec(compile(example.code, str(example), "exec"), names)  # noqa: S102 # our own text

    assert len(EXAMPLES) >= 5
    assert names["ENDED"].watchers


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_named_test_is_there(file, name):
    """What the page of weaknesses gives as proof is a test of this repository."""
    (path,) = [path for path in TESTS if path.as_posix().endswith(f"/{file}")]
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body:
        found.add(getattr(node, "name", ""))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}

    assert name in found


def test_every_weakness_has_its_proof():
    """Each row names a test, or says that it stays open; each name is one that is looked up."""
    rows = [line for line in WEAKNESSES.read_text().splitlines() if line.startswith("| ")]
    bare = [row for row in rows if "test_" not in row and "**open**" not in row]
    named = [row for row in rows if re.search(r"`test_\w+\.py` `\w", row)]

    assert len(rows) > 50
    assert len(named) == len(NAMED) == sum("test_" in row for row in rows)
    assert [row for row in bare if not row.startswith(("| weakness", "| what"))] == []
