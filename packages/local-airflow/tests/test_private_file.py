"""`.env` may hold a token: nobody else reads it, from its first moment on."""

import os
import subprocess

import pytest
from repository_copy import ROOT

from local_airflow.base.private_file import create_private, make_private


@pytest.fixture
def open_umask():
    """What is made is readable by all, unless somebody asks for something else."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_new_one_is_private(tmp_path):
    """A file that is made is its owner's, whatever the shell's mask is."""
    file = tmp_path / ".env"
    create_private(file, b"DBT_CLOUD_API_TOKEN=\n")

    assert file.stat().st_mode & 0o777 == 0o600


def test_existing_one_is_put_right(tmp_path):
    """Access of others is taken away, and what it was is told; the second time there is nothing."""
    file = tmp_path / ".env"
    file.touch()
    file.chmod(0o664)

    assert make_private(file) == "-rw-rw-r--"
    assert file.stat().st_mode & 0o777 == 0o600
    assert make_private(file) == ""


@pytest.mark.parametrize("name", [".env", ".env.bak", ".env~", ".env.swp", ".env.local", "#.env#"])
def test_git_never_takes_it(name):
    """Nor what editors and programs put beside it; the template alone is committed."""
    ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False)
    template = subprocess.run(
        ["git", "check-ignore", "--quiet", ".env.example"], cwd=ROOT, check=False
    )

    assert (ignored.returncode, template.returncode) == (0, 1)
