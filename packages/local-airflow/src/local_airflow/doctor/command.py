"""The command itself: examine, show, and end with 1 when something is red."""

from local_airflow.base.terminal import check_format
from local_airflow.doctor import report
from local_airflow.doctor.examination import examine
from local_airflow.doctor.findings import Level, worst
from local_airflow.doctor.view import examine_visibly, show


def doctor(form: str) -> int:
    check_format(form, ("json",))
    if form == "json":
        areas = examine()
        print(report.as_json(areas))
    else:
        areas = examine_visibly(examine)
        show(areas)
    return 1 if worst(report.findings(areas)) is Level.ERROR else 0
