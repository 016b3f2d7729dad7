"""
Points in time and spans of time, as dbt Cloud writes them.

Two date formats are on its wire: runs, triggers, steps and all of v3 put a space between date
and time, v2 jobs and accounts a `T`. Clients parse them strictly, so each has its function.
"""

from datetime import UTC, datetime


UNITS = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def now() -> datetime:
    return datetime.now(UTC)


def spaced(moment: datetime | None) -> str | None:
    """`2024-07-03 13:59:00.653171+00:00`"""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def iso(moment: datetime | None) -> str | None:
    """`2024-03-25T13:47:20.129690Z`"""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds_between(start: datetime | None, end: datetime | None) -> int:
    """Whole seconds, rounded down; 0 when either end is missing."""
    if start is None or end is None:
        return 0
    return max(int((end - start).total_seconds()), 0)


def clock_duration(seconds: int) -> str:
    """`00:01:50`; the hours do not wrap at 24."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def humanized(seconds: int) -> str:
    """
    `1 minute, 50 seconds`, `2 weeks, 1 day`; `0 minutes` for nothing.

    At most two neighbouring units. Spans and ages ("… ago") are spelt alike.
    """
    counts = []
    for name, size in UNITS:
        count, seconds = divmod(seconds, size)
        counts.append((name, count))
    first = next((index for index, (_, count) in enumerate(counts) if count), None)
    if first is None:
        return "0 minutes"
    return ", ".join(plural(name, count) for name, count in counts[first : first + 2] if count)


def plural(name: str, count: int) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
