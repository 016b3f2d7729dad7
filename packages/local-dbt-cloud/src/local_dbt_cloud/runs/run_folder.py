"""
What a run has on disk: the copy of its project, its profile, its logs and its artifacts.

    runs/<run id>/
        project/            the clone
        profiles/           profiles.yml; the password is not in it
        target/             where dbt works; shared by the steps, so that they parse once
        state/              what the run that this one resumes had left
        deferred/           what the run that this one defers to had left
        steps/<index>/      console.log, dbt.log
        artifacts/<index>/  what that step wrote to target/
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from dbt_cloud_api.run_results import RunResults
from local_dbt_cloud.dbt.project_files import copy_folder


LEFT_BEHIND = shutil.ignore_patterns("target", "logs", "dbt_packages", ".git", ".user.yml")
PROFILE = "user"
BLOCK = 65536
PARSED = "partial_parse.msgpack"


@dataclass(frozen=True, slots=True)
class RunFolder:
    path: Path

    @property
    def project(self) -> Path:
        return self.path / "project"

    @property
    def profiles(self) -> Path:
        return self.path / "profiles"

    @property
    def target(self) -> Path:
        return self.path / "target"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def deferred(self) -> Path:
        return self.path / "deferred"

    def step(self, index: int) -> Path:
        return self.path / "steps" / str(index)

    def artifacts(self, index: int) -> Path:
        return self.path / "artifacts" / str(index)

    def console_log(self, index: int) -> Path:
        return self.step(index) / "console.log"

    def debug_log(self, index: int) -> Path:
        return self.step(index) / "dbt.log"

    def copy_project(self, source: Path) -> None:
        copy_folder(source, self.project, LEFT_BEHIND)

    def write_profile(self, target_name: str, output: Mapping[str, Any]) -> None:
        self.profiles.mkdir(mode=0o700, parents=True, exist_ok=True)
        profile = {PROFILE: {"target": target_name, "outputs": {target_name: dict(output)}}}
        (self.profiles / "profiles.yml").write_text(yaml.safe_dump(profile, sort_keys=False))

    def take_parsed(self, cache: Path) -> None:
        """
        Start from what an earlier run of the job had parsed; dbt checks what has changed.

        Without it every run parses the whole project anew, which takes seconds.
        """
        if cache.is_file():
            self.target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cache, self.target / PARSED)

    def keep_parsed(self, cache: Path) -> None:
        if (self.target / PARSED).is_file():
            cache.parent.mkdir(parents=True, exist_ok=True)
            draft = cache.with_suffix(f".{self.path.name}")
            shutil.copyfile(self.target / PARSED, draft)
            draft.replace(cache)

    def keep_artifacts(self, index: int, since: float) -> bool:
        """Keep what the step wrote since then; answer whether it wrote anything."""
        files = (p for p in self.target.rglob("*") if p.is_file() and not p.is_symlink())
        written = [p for p in files if p.stat().st_mtime >= since]
        for path in written:
            kept = self.artifacts(index) / path.relative_to(self.target)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, kept)
        return bool(written)

    def kept_steps(self) -> list[int]:
        """The steps that left artifacts, the last one first."""
        folder = self.path / "artifacts"
        if not folder.is_dir():
            return []
        return sorted((int(path.name) for path in folder.iterdir()), reverse=True)

    def list_artifacts(self) -> list[str]:
        """Paths as they are in target/ at the end of the run."""
        return sorted(
            {
                path.relative_to(self.artifacts(index)).as_posix()
                for index in self.kept_steps()
                for path in self.artifacts(index).rglob("*")
                if path.is_file()
            }
        )

    def find_artifact(self, name: str, step: int | None) -> Path | None:
        """
        The file that the step wrote, or, without a step, the newest version in the run.

        None for what does not exist and for every path that leads out of the artifacts.
        """
        for index in self.kept_steps() if step is None else [step]:
            folder = self.artifacts(index).resolve()
            try:
                path = (folder / name).resolve()
                if path.is_relative_to(folder) and path.is_file():
                    return path
            except (OSError, ValueError):
                return None  # a name that no file can have: too long, or with a NUL in it
        return None

    def run_results(self, *steps: int) -> RunResults:
        """What became of models and tests in those steps; nothing where nobody can read it."""
        found = (self.find_artifact("run_results.json", step) for step in steps)
        try:
            return RunResults.parse(json.loads(path.read_bytes()) for path in found if path)
        except (OSError, ValueError):
            return RunResults.parse(())


def read_log(path: Path, last_lines: int | None = None) -> str:
    """The text so far; empty when nothing has been written."""
    try:
        with path.open("rb") as log:
            content = log.read() if last_lines is None else read_end(log, last_lines)
    except FileNotFoundError:
        return ""
    return content.decode("utf-8", errors="replace")


def read_end(log: BinaryIO, lines: int) -> bytes:
    """The last lines, without reading all of a log that may be long and is asked for often."""
    content, place = b"", log.seek(0, os.SEEK_END)
    # One more, as the first of them may have begun further up.
    while place > 0 and content.count(b"\n") <= lines:
        start = max(place - BLOCK, 0)
        log.seek(start)
        content = log.read(place - start) + content
        place = start
    return b"".join(content.splitlines(keepends=True)[-lines:])
