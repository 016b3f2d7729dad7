"""
Extract: find the files of one month at the source, and check them before anything is replaced.

The source is a folder, on a disk or in a bucket: anything that is read like a `pathlib.Path`,
Airflow's `ObjectStoragePath` included. Imports nothing of Airflow.
"""

import csv
import gzip
import hashlib
import io
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self


TABLES = ("flights", "weather")


class SourcePath(Protocol):
    """What is asked of a path: `pathlib.Path` and `ObjectStoragePath` both know it."""

    def __truediv__(self, name: str) -> Self: ...

    def exists(self) -> bool: ...

    def read_bytes(self) -> bytes: ...


class SourceFileError(Exception):
    """The source has no such month, or what it has is not that month."""


@dataclass(frozen=True, slots=True)
class MonthFile:
    """A gzip CSV with one month of one table, as it was when it was checked."""

    table: str
    month: str
    address: str
    columns: tuple[str, ...]
    rows: int
    sha256: str

    def as_xcom(self) -> dict[str, Any]:
        return {**asdict(self), "columns": list(self.columns)}

    @classmethod
    def from_xcom(cls, value: dict[str, Any]) -> "MonthFile":
        return cls(**{**value, "columns": tuple(value["columns"])})

    def read(self, file: SourcePath) -> bytes:
        """Give the CSV's bytes; raise `SourceFileError` when it is not what was checked."""
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise SourceFileError(
                f"{self.address} has changed since it was checked. Clear the task extract."
            )
        return gzip.decompress(content)


def find_month(source: SourcePath, month: str) -> list[MonthFile]:
    """Find and check the files of a month (`2013-02`), one for each table."""
    return [_check(table, source / table / f"{month}.csv.gz", month) for table in TABLES]


def _check(table: str, file: SourcePath, month: str) -> MonthFile:
    if not file.exists():
        raise SourceFileError(f"The source has no {table} for {month}: there is no {file}.")
    content = file.read_bytes()
    with io.StringIO(gzip.decompress(content).decode("utf-8")) as text:
        reader = csv.DictReader(text)
        columns = tuple(reader.fieldnames or ())
        rows = [(row["year"], row["month"]) for row in reader] if "month" in columns else []
    year, month_of_year = (str(int(part)) for part in month.split("-"))
    strangers = sum(1 for row in rows if row != (year, month_of_year))
    if not rows or strangers:
        raise SourceFileError(
            f"{file} is not {month}: {strangers} of its {len(rows)} rows are not."
        )
    sha256 = hashlib.sha256(content).hexdigest()
    return MonthFile(table, month, str(file), columns, len(rows), sha256)
