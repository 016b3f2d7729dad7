"""What the package needs: nothing."""

import ast
import sys
from pathlib import Path

import pytest


SOURCE = Path(__file__).parents[1] / "src"


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_standard_library_only(path):
    """Every module, wherever in it, imports the standard library and the package itself."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            imported.add(node.module)
    roots = {name.partition(".")[0] for name in imported}

    assert roots <= sys.stdlib_module_names | {"dbt_cloud_api"}
