"""Cron expressions as dbt Cloud takes them: five fields, in UTC, `L` for the last day."""

from datetime import UTC, datetime, timedelta

from cron_descriptor import Options, get_description
from cronsim import CronSim, CronSimError


FIELDS = 5
HOURLY = "0 * * * *"
# Whatever the language of this machine.
ENGLISH = Options(locale_code="en_US", use_24hour_time_format=False)


def check_cron(text: str) -> str:
    """Raise `ValueError`, in words for whoever wrote the expression."""
    if len(text.split()) != FIELDS:
        raise ValueError(f"'{text}' has not five fields: minute, hour, day, month, weekday (UTC)")
    try:
        # Some are well formed and never come, such as the 31st of February.
        next_tick(text, datetime.now(UTC))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"'{text}' is no cron expression: {error or 'it never comes'}") from None
    return text


def next_tick(cron: str, after: datetime) -> datetime:
    return next(CronSim(cron, after.astimezone(UTC)))


def latest_tick(cron: str, until: datetime) -> datetime:
    """The last one that is not later than `until`."""
    whole = until.astimezone(UTC).replace(microsecond=0)
    return next(CronSim(cron, whole + timedelta(seconds=1), reverse=True))


def humanized_cron(cron: str) -> str:
    """In the words of the very library that the recorded ones are of."""
    words: str = get_description(cron, ENGLISH)
    return words
