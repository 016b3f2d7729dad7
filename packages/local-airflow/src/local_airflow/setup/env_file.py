"""Change settings in `.env`: everything else in it stays as it is."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dbt_cloud_api.dotenv_file import ENCODING, broken_lines, lines_of
from dbt_cloud_api.user_error import UserError


def with_settings(text: str, changes: Mapping[str, str]) -> str:
    """
    Give the text with these settings in it: in their old lines, and the new ones at the end.

    Raises `UserError` for a value that `.env` cannot hold: nothing would start with it any more.
    """
    for key, value in changes.items():
        for wrong in broken_lines([f"{key}={value}"], ".env"):
            raise UserError(f"{key} cannot be kept in .env", wrong.cause, wrong.remedies)
    left = dict(changes)
    lines = []
    for line in lines_of(text):
        match = re.match(r"([A-Za-z_][A-Za-z0-9_]*)=", line)
        key = match[1] if match else ""
        lines.append(f"{key}={left.pop(key)}" if key in left else line)
    lines += [f"{key}={value}" for key, value in left.items() if value]
    return "".join(f"{line}\n" for line in lines)


def change_settings(file: Path, template: Path, changes: Mapping[str, str]) -> None:
    """
    Write the file as a whole or not at all, readable by its owner only: it holds a token.

    A file that is not there yet begins as a copy of the template.
    """
    target = file.resolve()  # a link stays a link
    text = (target if target.exists() else template).read_bytes().decode(ENCODING)
    # mkstemp makes it with mode 0600 from the start.
    descriptor, unfinished = tempfile.mkstemp(dir=target.parent, prefix=".env.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(with_settings(text, changes))
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            _keep_owner(target, Path(unfinished))
        os.replace(unfinished, target)  # noqa: PTH105 # the name says that it is one step
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _keep_owner(before: Path, after: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(after, before.stat().st_uid, before.stat().st_gid)
