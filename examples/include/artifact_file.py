"""Read an artifact that the provider's operator has written to a file."""

import json
import logging
from pathlib import Path
from typing import Any

from dbt_cloud_api.run_results import RunResults


log = logging.getLogger(__name__)


def summarize_file(file: str) -> dict[str, Any]:
    """Log every node of a `run_results.json`, and delete the file, which nobody needs again."""
    path = Path(file)
    results = RunResults.parse([json.loads(path.read_text(encoding="utf-8"))])
    path.unlink()
    for line in results.table():
        log.info(line)
    return results.summary()
