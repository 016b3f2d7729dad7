"""The command itself: examine, show, and end with 1 when something is red."""

from local_airflow.doctor import report
from local_airflow.doctor.examination import examine
from local_airflow.findings import Level, worst
from local_airflow.terminal import check_format, has_tables, is_looked_at


def doctor(form: str) -> int:
    check_format(form, ("json",))
    if form == "json":
        areas = examine()
        print(report.as_json(areas))
    elif is_looked_at() and has_tables():
        # Imported here because the launcher's own Python has no rich.
        from local_airflow.doctor import coloured  # noqa: PLC0415

        areas = coloured.examine_with_progress(examine)
        coloured.show(areas)
    else:
        areas = examine()
        print("\n".join(report.plain(areas)))
    return 1 if worst(report.findings(areas)) is Level.ERROR else 0
