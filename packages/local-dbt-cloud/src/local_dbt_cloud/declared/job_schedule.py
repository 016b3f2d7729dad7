"""The schedule of a job: a date and a time in words, and the cron expression that they mean."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from local_dbt_cloud.wire.cron import HOURLY, check_cron
from local_dbt_cloud.wire.request_body import RequestBody, missing


Cron = Annotated[str, AfterValidator(check_cron)]
Hour = Annotated[int, Field(ge=0, le=23)]
Weekday = Annotated[int, Field(ge=0, le=6)]


class Date(RequestBody):
    type: Literal["every_day", "days_of_week", "custom_cron", "interval_cron"]
    days: list[Weekday] | None = None
    cron: Cron | None = None

    @model_validator(mode="after")
    def check_days(self) -> "Date":
        if self.type == "days_of_week" and not self.days:
            raise missing("days")
        return self


class Time(RequestBody):
    type: Literal["every_hour", "at_exact_hours"]
    interval: Annotated[int, Field(ge=1, le=23)] | None = None
    hours: list[Hour] | None = None

    @model_validator(mode="after")
    def check_hours(self) -> "Time":
        if self.type == "at_exact_hours" and not self.hours:
            raise missing("hours")
        return self


class ScheduleBody(RequestBody):
    """Without a word, a schedule is every hour; whether it counts, `triggers.schedule` says."""

    cron: Cron | None = None
    date: Date | None = None
    time: Time | None = None

    def complete(self) -> dict[str, Any]:
        """As the API shows it: every part, and the cron expression that the parts mean."""
        cron = self._cron()
        date: dict[str, Any] = {"type": "custom_cron" if self.cron else "every_day"}
        if self.date:
            date = self.date.model_dump(exclude_none=True)
        if date["type"] in {"custom_cron", "interval_cron"}:
            date.setdefault("cron", cron)
        time: dict[str, Any] = {"type": "every_hour", "interval": 1}
        if self.time:
            time = self.time.model_dump(exclude_none=True)
        if time["type"] == "every_hour":
            time.setdefault("interval", 1)
        return {"cron": cron, "date": date, "time": time}

    def _cron(self) -> str:
        if self.date is None:
            return self.cron or HOURLY
        given = self.date.cron or self.cron
        if self.date.type == "custom_cron" or (self.date.type == "interval_cron" and given):
            return given or HOURLY
        days = None if self.date.type == "every_day" else self.date.days
        return f"0 {self._hours()} * * {join(days) if days else '*'}"

    def _hours(self) -> str:
        if self.time is None:
            return "*"
        if self.time.type == "at_exact_hours":
            return join(self.time.hours or [])
        interval = self.time.interval or 1
        return "*" if interval == 1 else f"*/{interval}"


def join(numbers: list[int]) -> str:
    return ",".join(str(number) for number in sorted(set(numbers)))
