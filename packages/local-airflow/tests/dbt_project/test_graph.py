"""The graph that `dbt_core_cosmos` draws its tasks from is the project's own."""

import json
import subprocess
import sys

from repository_copy import ROOT


def test_the_graph_is_that_of_the_project(tmp_path, warehouse):
    """What the DAG is drawn from is what dbt says of the project today; else: make graph."""
    project, graph = ROOT / "dbt_project", ROOT / "examples/include/dbt_core/graph.json"
    options = ["--project-dir", project, "--profiles-dir", project]
    options += ["--target-path", tmp_path, "--log-path", tmp_path]
    dbt = ROOT / ".local/dbt/bin/dbt"
    subprocess.run(
        [dbt, "--quiet", "parse", *options], check=True, env=warehouse.environment(), timeout=120
    )
    program = (
        "import json, sys; from examples.include.dbt_core.graph import graph_of;"
        "print(json.dumps(graph_of(json.load(open(sys.argv[1])))))"
    )

    drawn = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "manifest.json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout

    assert json.loads(drawn) == json.loads(graph.read_text())
