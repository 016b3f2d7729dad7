"""Images and actions are pinned to what their tags mean, by container/renew_digests.py."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[4]
FILES = ("Dockerfile", "docker-compose.yaml", "compose.celery.yaml")


@pytest.fixture
def renew(tmp_path):
    """Run the script in a copy, with a docker and a git that answer as told; give what it says."""
    for name in (*FILES, "container/renew_digests.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".github").mkdir()
    shutil.copytree(ROOT / ".github/workflows", tmp_path / ".github/workflows")

    def run(digest="a" * 64, commit="b" * 40):
        answers = {
            "docker": f"echo sha256:{digest}" if digest else "echo no such host >&2; exit 1",
            "git": f"printf '{'c' * 40}\\trefs/tags/v1\\n{commit}\\trefs/tags/v1^{{}}\\n'",
        }
        for name, answer in answers.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
            (tmp_path / name).chmod(0o755)
        return subprocess.run(
            [sys.executable, "container/renew_digests.py"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_every_image_and_action_is_pinned(renew, tmp_path):
    """Each foreign image gets its digest and each action its commit, and a renewal others."""
    for digest, commit in (("a" * 64, "b" * 40), ("d" * 64, "e" * 40)):
        done = renew(digest, commit)
        assert (done.returncode, done.stderr) == (0, "")
        text = "".join((tmp_path / name).read_text() for name in FILES)
        images = re.findall(r"^(?:FROM| +image:) (\S+:\S+)", text, re.MULTILINE)
        workflows = "".join(f.read_text() for f in (tmp_path / ".github/workflows").iterdir())
        actions = re.findall(r"uses: (.*)", workflows)

        pinned = [each for each in images if not each.startswith(("astro", "&", "$"))]
        assert len(pinned) >= 5
        assert [each for each in pinned if not each.endswith(f"@sha256:{digest}")] == []
        assert [each for each in actions if not re.search(rf"@{commit} # v\d", each)] == []


def test_astro_reads_its_line_as_before(renew, tmp_path):
    """Standalone mode reads the version off the first FROM, which stays a tag."""
    before = (tmp_path / "Dockerfile").read_text().partition("\nFROM ")[2].splitlines()[0]
    renew()

    after = (tmp_path / "Dockerfile").read_text().partition("\nFROM ")[2].splitlines()[0]
    assert after == before
    assert "@" not in after


def test_without_an_answer_nothing_is_invented(renew, tmp_path):
    """What no registry answers for is named with its words, and the files stay as they are."""
    done = renew(digest="")

    assert done.returncode == 1
    assert "error: postgres:17 is as it was: no such host" in done.stderr
    assert "Traceback" not in done.stderr
    assert [
        name for name in FILES if (tmp_path / name).read_text() != (ROOT / name).read_text()
    ] == []


def test_actions_are_commits():
    """A tag can be moved by whoever owns the action; a commit cannot."""
    text = "".join(file.read_text() for file in (ROOT / ".github/workflows").iterdir())

    assert re.findall(r"uses: .*", text)
    assert [
        each for each in re.findall(r"uses: (.*)", text) if not re.search(r"@\w{40} # v", each)
    ] == []
