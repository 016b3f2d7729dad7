"""What the tests of the examples share: the folder of their DAGs, and a warehouse with flights."""

from pathlib import Path

import pytest
from warehouse import flights_in_warehouse, warehouse


__all__ = ["flights_in_warehouse", "warehouse"]


@pytest.fixture(scope="session")
def dags_folder() -> Path:
    """The examples are a folder of DAGs of their own."""
    return Path(__file__).parents[1] / "dags"
