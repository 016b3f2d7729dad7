"""The status for a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local_airflow.status.facts import Status
from local_airflow.status.views import PROBLEM, part_rows, rows


def show(status: Status) -> None:
    console = Console(highlight=False)
    console.print(_parts(status))
    console.print()
    for what, value in rows(status):
        name = Text(f"{what:<12} ", style="bold" if what.strip() == what else "")
        # The terminal breaks a long address itself: one that was cut here could not be clicked.
        console.print(Text.assemble(name, _value(what, value, status)), soft_wrap=True)


def _parts(status: Status) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for heading in ("Part", "State", "Process", "Restarts"):
        table.add_column(heading, justify="right" if heading == "Restarts" else "left")
    for part, row in zip(status.parts, part_rows(status), strict=True):
        colour = "green" if part.is_healthy else "red"
        state = Text(row[1], style=colour)
        table.add_row(row[0], state, row[2], Text(row[3], style="yellow" if part.restarts else ""))
    return table


def _value(what: str, value: str, status: Status) -> Text:
    if what == "mode":
        return Text(value, style="green" if status.healthy else "red")
    if what == "dbt Cloud" and status.dbt_cloud.is_local:
        return Text.assemble(("LOCAL", "bold yellow"), value.removeprefix("LOCAL"))
    is_bad = what == PROBLEM or (what == "DAG files" and status.import_errors != [])
    return Text(value, style="red" if is_bad else "")
