"""The plan for whoever looks: what would be done, to which job, and what differs."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local_airflow.base.terminal import is_looked_at
from local_airflow.jobs_as_code.package import Change


COLOURS = {"create": "green", "link": "cyan", "update": "yellow", "delete": "red"}


def show_plan(where: str, changes: list[Change]) -> None:
    if not changes:
        print(f"dbt_cloud_jobs.yml and {where}: nothing differs")
        return
    print(f"To make {where} like dbt_cloud_jobs.yml:")
    if is_looked_at():
        Console(highlight=False).print(_table(changes))
        return
    for change in changes:
        print(f"  {change.action:<7} {change.key}")
        for line in change.differences:
            print(f"          {line}")


def _table(changes: list[Change]) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    for change in changes:
        # Text, never markup: a command may have brackets in it.
        action = Text(f"  {change.action}", style=COLOURS.get(change.action, ""))
        table.add_row(action, Text(change.key), Text("\n".join(change.differences)))
    return table
