"""How a server has done: by the hour for two days, by the day for thirty; and how all have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from projections import daily_usage, server_health
from projections.daily_usage import Outcomes, Usage
from projections.server_health import Answers
from web.pages.dashboard.chart import Bucket, Chart, chart

HOURS = 48
DAYS = 30
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Picture:
    """`form` is how the ticks are written: clock or day."""

    title: str
    chart: Chart
    form: str

    @property
    def spoken(self) -> str:
        return (
            f"{self.title}: {self.chart.accepted:,} accepted, {self.chart.deferred:,} to be tried again, "
            f"{self.chart.failed:,} failed."
        )

    @property
    def is_empty(self) -> bool:
        return not (self.chart.accepted or self.chart.deferred or self.chart.failed)


def hourly(cursor: Any, now: datetime) -> dict[int, list[Answers]]:
    return server_health.hours(cursor, first_hour(now))


def first_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * HOUR


def by_hour(answers: Sequence[Answers], now: datetime) -> Picture:
    first = first_hour(now)
    found = {one.start.astimezone(UTC): one for one in answers}
    hours = [first + number * HOUR for number in range(HOURS)]
    buckets = [
        Bucket(hour, one.accepted, one.deferred, one.failed) if (one := found.get(hour)) else Bucket(hour)
        for hour in hours
    ]
    return Picture("Last 48 hours", chart(buckets, "hour"), "day")


def by_day(cursor: Any, server: int, today: date) -> tuple[Picture, list[Usage]]:
    """And the days that there is something to tell of, newest first."""
    first = today - timedelta(days=DAYS - 1)
    found = {usage.day: usage for usage in daily_usage.history(cursor, first, server)}
    return thirty_days(found, first), list(reversed(found.values()))


def of_all_by_day(cursor: Any, today: date) -> Picture:
    first = today - timedelta(days=DAYS - 1)
    return thirty_days({one.day: one for one in daily_usage.by_day(cursor, first)}, first)


def thirty_days(found: Mapping[date, Usage | Outcomes], first: date) -> Picture:
    days = [first + timedelta(days=number) for number in range(DAYS)]
    buckets = [
        Bucket(noon(day), one.accepted, one.deferred, one.failed)
        if (one := found.get(day))
        else Bucket(noon(day))
        for day in days
    ]
    return Picture("Last 30 days", chart(buckets, "day"), "date")


def noon(day: date) -> datetime:
    """In UTC, which is that date nearly everywhere."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
