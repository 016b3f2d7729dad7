"""
Which nodes to run again after a failure: the selector way, `result:error+ result:fail+`.

dbt can select by result only where it finds the artifacts of the run before, which in dbt Cloud
takes a job that defers to itself. The same nodes by their names need no such setting. Imports
nothing of Airflow.
"""

from dbt_cloud_api.run_results import FAILED, NodeResult, RunResults


class NothingFailedError(Exception):
    """No node failed, so there is nothing to select."""


def selector_of(results: RunResults) -> str:
    """
    Name what failed, each with `+`: what was skipped because of it comes behind it.

    A dbt test is named too, and has nothing behind it.
    """
    failed = [_name(node) for node in results.nodes if node.status in FAILED]
    if not failed:
        raise NothingFailedError("No model and no dbt test of that run failed.")
    return " ".join(f"{name}+" for name in sorted(failed))


def _name(node: NodeResult) -> str:
    # `unit_test.<package>.<model>.<name>`; a model of two versions is `orders.v2`, all of it.
    return node.name.split(".", 1)[-1] if node.kind == "unit test" else node.name
