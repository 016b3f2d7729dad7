"""The doctor's findings for people, plain; for people, in colour; and for programs."""

import json
from collections.abc import Iterator

from local_airflow.doctor.findings import Area, Finding, Level, worst


SIGNS = {Level.OK: "✓", Level.WARNING: "!", Level.ERROR: "✗", Level.SKIPPED: "-"}
COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red", Level.SKIPPED: "dim"}
WORDS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red", Level.SKIPPED: "skipped"}


def findings(areas: list[Area]) -> list[Finding]:
    return [finding for area in areas for finding in area.findings]


def as_json(areas: list[Area]) -> str:
    report = {
        "result": worst(findings(areas)),
        "counts": _counts(areas),
        "areas": [area.as_json() for area in areas],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def _counts(areas: list[Area]) -> dict[str, int]:
    levels = [finding.level for finding in findings(areas)]
    return {level: levels.count(level) for level in Level}


def summary(areas: list[Area]) -> str:
    counts = _counts(areas)
    shown = []
    for level in Level:
        names = dict.fromkeys(each.name for each in findings(areas) if each.level is level)
        named = f" ({', '.join(names)})" if level in {Level.WARNING, Level.ERROR} else ""
        shown += [f"{counts[level]} {WORDS[level]}{named}"] if counts[level] else []
    return ", ".join(shown)


def folded(area: Area) -> list[Finding]:
    """Fold what Airflow's side only repeats: steps that are green are shown once, above."""
    steps = [finding for finding in area.findings if finding.name in REPEATED]
    if not steps or any(finding.level is not Level.OK for finding in steps):
        return list(area.findings)
    others = [finding for finding in area.findings if finding.name not in REPEATED]
    whole = Finding("the steps above", Level.OK, f"all {len(steps)} are green from there too")
    return [*others[:1], whole, *others[1:]]


REPEATED = frozenset(
    {
        *("name", "connection", "TLS", "token", "account", "project", "environment"),
        *("job", "commands", "schedule", "trigger", "clock"),
    }
)


def plain(areas: list[Area]) -> Iterator[str]:
    """Give lines without colours, and as long as they are: a program or a file takes them."""
    for area in areas:
        yield area.title
        shown = folded(area) if "from Airflow" in area.title else area.findings
        for finding in shown:
            yield f"  {SIGNS[finding.level]} {finding.name}: {finding.found}"
            yield from (f"      {mark}{line}" for mark, line in advice(finding))
        yield ""
    yield summary(areas)


def advice(finding: Finding) -> Iterator[tuple[str, str]]:
    """Give lines with what marks them: nothing for the cause, an arrow for what to do."""
    yield from (("", line) for line in finding.cause.splitlines())
    yield from (("→ ", remedy) for remedy in finding.remedies)
    if finding.ask:
        yield "Ask: ", finding.ask
