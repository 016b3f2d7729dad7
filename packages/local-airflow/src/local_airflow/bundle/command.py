"""The command itself: collect, mask, look once more, and only then write."""

import io
import time
import zipfile
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, shown
from local_airflow.base.progress_line import ProgressLine
from local_airflow.bundle.contents import parts, read_part
from local_airflow.bundle.known_secrets import find_known
from local_airflow.bundle.masking import Masker
from local_airflow.running.mode_choice import current
from local_airflow.stack.generated_secrets import peek_secrets
from local_airflow.stack.mode import Mode
from local_airflow.stack.settings import load_settings


README = """\
Made by `make bundle` for a bug report.

Masked as ***: the secrets of this clone, in every form they were found in, and whatever looks
like a token, a password, a key or a login in an address.
Names of hosts, accounts, jobs, models and people are as they were: look through it before you
send it.

doctor.json is the place to begin.
"""


def bundle() -> int:
    mode = _mode()
    masker = Masker.of(find_known(mode.settings.secrets if mode else None))
    texts = {"README.txt": masker.mask(README)}
    with ProgressLine("collecting") as line:
        for name, make in parts(mode):
            line.detail = name
            texts[name] = masker.mask(read_part(make))
    content = _zip(texts)
    leaking = [name for name, text in texts.items() if masker.leaks(text) or masker.leaks(name)]
    if leaking:
        raise UserError(
            "the bundle was not written: a secret would have been in it",
            f"Masking left one over in {', '.join(leaking)}.",
            ("This is a bug of make bundle; report it with the file's name only.",),
        )
    file = _write(content)
    print(f"wrote {shown(file)}: {len(texts)} files, {len(content) // 1024 + 1} KB, secrets masked")
    print(f"Look through it before you send it:   unzip -l {shown(file)}")
    return 0


def _mode() -> Mode | None:
    try:
        return current(load_settings(peek_secrets))
    except UserError:
        return None


def _zip(texts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _write(content: bytes) -> Path:
    LOCAL.mkdir(exist_ok=True)
    file = LOCAL / f"bug-report-{time.strftime('%Y%m%d-%H%M%S')}.zip"
    file.touch(mode=0o600)
    file.write_bytes(content)
    return file
