"""The examples of docs/operator.md work as they stand, and its table names tests that exist."""

import ast
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from tests.docs.code_blocks import blocks


ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/operator.md"
WEAKNESSES = ROOT / "docs/operator_weaknesses.md"
EXAMPLES = [block for block in blocks(PAGE) if block.language == "python"]
# tests/…/test_x.py, then `test_y` or `TestZ` or `TestZ.test_y`
NAMED = re.findall(r"`([\w/]+/test_\w+)\.py` `([\w.]+)`", WEAKNESSES.read_text())


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
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text())
    found = set()
    for node in tree.body:
        found.add(getattr(node, "name", ""))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}

    assert name in found


def test_every_weakness_has_its_proof():
    """Each row names a test, or says that it stays open."""
    rows = [line for line in WEAKNESSES.read_text().splitlines() if line.startswith("| ")]
    bare = [row for row in rows if "test_" not in row and "**open**" not in row]

    assert len(rows) > 50
    assert [row for row in bare if not row.startswith(("| weakness", "| what"))] == []
