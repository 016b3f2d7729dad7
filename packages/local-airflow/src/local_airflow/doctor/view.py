"""Show the doctor's findings to whoever looks."""

from collections.abc import Callable

from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.terminal import has_tables, is_looked_at
from local_airflow.doctor import report
from local_airflow.doctor.findings import Area


def show(areas: list[Area]) -> None:
    if is_looked_at() and has_tables():
        # Imported here because the launcher's own Python has no rich.
        from local_airflow.doctor import coloured  # noqa: PLC0415

        coloured.show(areas)
    else:
        print("\n".join(report.plain(areas)))


def examine_visibly(examine: Callable[[], list[Area]]) -> list[Area]:
    """Show a person that something is being done."""
    with ProgressLine("looking at the machine, the stack and dbt Cloud"):
        return examine()
