"""Which files of DAGs there are, and which of them Airflow has read."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from local_airflow.base.folders import ROOT
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.settings import EXAMPLES_FOLDER, StackSettings


# Airflow itself looks for these two words, in any case, before it reads a file.
WORDS = (b"dag", b"airflow")
# A module without a DAG may have both words too, and is never in any list: no file has to be
# waited for once so many seconds have brought none. A file takes a fraction of one.
QUIET_SECONDS = 4.0
PAGE = 100


class DagFiles:
    def __init__(
        self,
        settings: StackSettings,
        api: Callable[[], AirflowApi],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wanted = set(_names(settings))
        self.api = api
        self.clock = clock
        self.seen: set[str] = set()
        self.seen_at: float | None = None

    def are_read(self) -> bool:
        """Tell whether each file has its DAG or its import error, or no more are coming."""
        read = self._read()
        if self.seen_at is None or read != self.seen:
            self.seen, self.seen_at = read, self.clock()
        return not self.wanted - read or self.clock() - self.seen_at > QUIET_SECONDS

    def _read(self) -> set[str]:
        """Name the files without their folders, which have other names in a container."""
        api = self.api()
        dags: list[dict[str, str]] = []
        while page := api.get("/api/v2/dags", limit=PAGE, offset=len(dags))["dags"]:
            dags += page
        errors = api.get("/api/v2/importErrors", limit=PAGE)["import_errors"]
        files = [each["fileloc"] for each in dags] + [each["filename"] for each in errors]
        return {Path(file).name for file in files}


def _names(settings: StackSettings) -> Iterator[str]:
    folders = [ROOT / "dags", *([EXAMPLES_FOLDER / "dags"] if settings.has_examples else [])]
    for folder in folders:
        for file in folder.rglob("*.py"):
            text = file.read_bytes().lower()
            if all(word in text for word in WORDS):
                yield file.name
