"""A copy of this repository, in which a test may write whatever its user would write."""

import os
import shutil
import subprocess
from pathlib import Path


ROOT = Path(__file__).parents[3]


def copy_repository(folder: Path) -> Path:
    """Copy every file that git knows, or would add, into a new folder."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def copy_with_environments(folder: Path) -> Path:
    """Copy it, with what is installed for this one: a link, so that nothing is installed again."""
    copy_repository(folder)
    (folder / ".local").symlink_to(ROOT / ".local")
    return folder


def launcher_path(folder: Path) -> str:
    """What `make` puts on PYTHONPATH in this copy: its own launcher, not the installed one."""
    names = ("local-airflow", "dbt-cloud-api")
    return os.pathsep.join(str(folder / "packages" / name / "src") for name in names)
