"""
Deals out test files to pytest's workers: `-p one_running_stack`.

A file stays on one worker, for its fixtures; and all that need the running stack stay on the same
one. Otherwise every worker would have a stack of its own until the end, and an idle one costs a
fifth of a core.
"""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class OneRunningStack(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "running_stack" if "running_stack" in Path(file).read_text("utf-8") else file


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return OneRunningStack(config, log)
