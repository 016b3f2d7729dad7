"""
What is left of a broken `.env`, to stop with: whatever is wrong in it, stopping must work.

Compose reads the file too, so what can be read is written to a file of its own for a while.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbt_cloud_api.dotenv_file import ENCODING, lines_of, whole_lines
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import dotenv_path
from local_airflow.base.terminal import painted
from local_airflow.stack.generated_secrets import peek_secrets
from local_airflow.stack.settings import StackSettings, load_settings, make_settings


@contextmanager
def settings_ignoring_broken_lines() -> Iterator[StackSettings]:
    """Give the settings; when `.env` is broken, say so in a line, and give what is left of it."""
    try:
        settings = load_settings()
    except UserError as wrong:
        word = painted("warning:", "yellow", sys.stderr)
        print(f"{word} {wrong.problem}; stopping all the same", file=sys.stderr)
    else:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="dotenv-") as folder:
        readable = Path(folder, ".env")
        readable.touch(mode=0o600)
        left = "".join(f"{name}={value}\n" for name, value in _what_is_left().items())
        readable.write_text(left, encoding="utf-8")
        before = os.environ.get("LOCAL_ENV_FILE")
        os.environ["LOCAL_ENV_FILE"] = str(readable)
        try:
            yield load_settings()
        finally:
            os.environ.pop("LOCAL_ENV_FILE")
            if before:
                os.environ["LOCAL_ENV_FILE"] = before


def _what_is_left() -> dict[str, str]:
    """Keep each setting that is fine together with those before it."""
    try:
        text = dotenv_path().read_bytes().decode(ENCODING, errors="replace")
    except OSError:
        return {}
    kept: dict[str, str] = {}
    for name, value in whole_lines(lines_of(text), dotenv_path().name).items():
        try:
            make_settings({**kept, name: value}, peek_secrets)
        except UserError:
            continue
        kept[name] = value
    return kept
