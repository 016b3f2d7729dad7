"""The doctor's report for a terminal: colours, and lines that fit its width."""

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from local_airflow.doctor.findings import Area, Finding, worst
from local_airflow.doctor.report import COLOURS, SIGNS, advice, findings, folded, summary


NAME_WIDTH = 17


def show(areas: list[Area]) -> None:
    console = Console(highlight=False)
    for area in areas:
        console.print(Text(area.title, style="bold"))
        shown = folded(area) if "from Airflow" in area.title else list(area.findings)
        console.print(_table(shown))
    console.print(Text(summary(areas), style=f"bold {COLOURS[worst(findings(areas))]}"))


def _table(shown: list[Finding]) -> Padding:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=NAME_WIDTH)
    table.add_column(ratio=1)
    for finding in shown:
        colour = COLOURS[finding.level]
        table.add_row(
            Text(SIGNS[finding.level], style=colour), Text(finding.name), _what(finding, colour)
        )
    return Padding(table, (0, 0, 1, 2))


def _what(finding: Finding, colour: str) -> Group:
    style = "" if colour == "green" else colour
    # Text, never markup: a path or a message may have brackets in it.
    return Group(
        Text(finding.found, style=style), *(_hanging(mark, line) for mark, line in advice(finding))
    )


def _hanging(mark: str, line: str) -> Table | Text:
    """Let what a line is too long for go on below its first word, not below its mark."""
    if not mark:
        return Text(line)
    table = Table.grid()
    table.add_column(width=len(mark))
    table.add_column(ratio=1)
    table.add_row(Text(mark), Text(line))
    return table
