"""Nothing is installed that differs from what the locks say, nor built by what they do not name."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from repository_copy import ROOT, copy_repository, launcher_path


@pytest.fixture
def clone(tmp_path):
    """A clone on a machine without uv."""
    return copy_repository(tmp_path / "clone")


def install(clone, environment):
    return subprocess.run(
        [sys.executable, "-m", "local_airflow", "install", environment],
        cwd=clone,
        # Without this Python's own folder, where uv may be.
        env={**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": launcher_path(clone)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_uv_itself_has_a_checksum(clone):
    """What pip fetches as uv is refused when it is not the uv of the lock."""
    lock = clone / "requirements/installer.lock"
    lock.write_text(re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", lock.read_text()))

    done = install(clone, "tools")

    assert done.returncode == 1
    assert re.search(rf"Expected\s.*{'0' * 64}", done.stderr)
    assert not (clone / ".local/tools").exists()


def test_packages_are_built_with_what_is_there(clone):
    """A package that asks for a build back-end from the net is refused: no lock would name it."""
    (clone / ".local").mkdir()
    (clone / ".local/uv").symlink_to(ROOT / ".local/uv")
    # The smallest will do for all.
    for lock in (clone / "requirements").glob("*.lock"):
        shutil.copy(ROOT / "requirements/tools.lock", lock)
    built = clone / "packages/dbt-cloud-api/pyproject.toml"
    asks = built.read_text().replace('"uv_build>=0.8,<1"', '"no-such-back-end>=1"')
    built.write_text(asks.replace('"uv_build"', '"no_such_back_end"'))

    done = install(clone, "tools")

    assert done.returncode == 1
    assert "no-such-back-end" in done.stderr
    assert "network was disabled" in done.stderr


def test_every_installation_in_an_image_is_held():
    """By a lock's checksums; or it is one of our wheels; or image_constraints.py has chosen."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = re.findall(r"pip install[^&|]*", text)
    held = ("--require-hashes", "/wheels/", "--constraints /tmp/constraints.txt", "./packages/")

    assert len(lines) >= 9
    assert [line for line in lines if not any(sign in line for sign in held)] == []
