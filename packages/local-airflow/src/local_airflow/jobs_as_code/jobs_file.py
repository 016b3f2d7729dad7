"""dbt_cloud_jobs.yml: read it, and write a job into it without touching the rest."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT
from local_airflow.native.process_table import python


FILE = ROOT / "dbt_cloud_jobs.yml"
KEY = re.compile(r"[^a-z0-9]+")


def jobs_path() -> Path:
    """Give the file; tests name another one, so that they never write yours."""
    return Path(os.environ.get("LOCAL_DBT_CLOUD_JOBS") or FILE)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs live in the file: a project and one of its environments, with both their names."""

    project_id: int
    environment_id: int
    project: str
    environment: str


@dataclass(frozen=True, slots=True)
class JobsFile:
    """`content` is the whole document, comments included."""

    path: Path
    content: Any

    @property
    def jobs(self) -> Any:
        return self.content["jobs"]

    @property
    def account_id(self) -> int:
        return int(self.content["local_dbt_cloud"]["id"])

    def places(self) -> list[Place]:
        """List what `local_dbt_cloud:` declares, which is what the jobs' ids mean."""
        # An id may stand in quotes, here and in a job.
        return [
            Place(int(project["id"]), int(environment["id"]), project["name"], environment["name"])
            for project in self.content["local_dbt_cloud"]["projects"]
            for environment in project["environments"]
        ]

    def put(self, key: str, job: Mapping[str, Any]) -> None:
        """Add a job, or bring one up to date: what does not differ keeps its comments."""
        if key not in self.jobs:
            self.jobs[key] = dict(job)
            return
        before = self.jobs[key]
        for name, value in job.items():
            if before.get(name) != value:
                before[name] = value

    def text(self) -> str:
        stream = StringIO()
        _yaml().dump(self.content, stream)
        return stream.getvalue()


def read_jobs_file(path: Path) -> JobsFile:
    """Raise `UserError` for a file that the local dbt Cloud would not start with."""
    _check(path)
    return JobsFile(path, _yaml().load(path.read_text(encoding="utf-8")))


def write_jobs_file(file: JobsFile) -> None:
    """Write it whole, and only if the local dbt Cloud can start with it."""
    text = file.text()
    descriptor, unfinished = tempfile.mkstemp(dir=file.path.parent, suffix=".yml")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        _check(Path(unfinished), named=file.path)
        Path(unfinished).chmod(file.path.stat().st_mode & 0o777)
        Path(unfinished).replace(file.path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _check(path: Path, named: Path | None = None) -> None:
    """Let the one who reads the file at every start judge it."""
    command = [str(python("local-dbt-cloud")), "-m", "local_dbt_cloud", "check-jobs", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError.retold(done.stderr.replace(str(path), str(named or path)))


def key_for(name: str) -> str:
    """Make a key out of a job's name: Build flights becomes build_flights."""
    return KEY.sub("_", name.lower()).strip("_") or "job"
