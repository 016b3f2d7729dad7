"""What the background processes tell the commands: small JSON files, replaced as a whole."""

import json
import os
from pathlib import Path
from typing import Any


def write_state(file: Path, state: dict[str, Any]) -> None:
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(state), encoding="utf-8")
    unfinished.replace(file)


def read_state(file: Path) -> dict[str, Any]:
    """Read a state; empty when nobody has written one."""
    try:
        state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state
