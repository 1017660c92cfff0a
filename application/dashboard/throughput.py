"""What became of attempts, interval by interval: of the last minutes, hours and days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from projections import daily_usage, server_health
from projections.daily_usage import Outcomes, Usage
from projections.server_health import Answers

INTERVAL = timedelta(seconds=10)
INTERVALS = 90
HOURS = 48
DAYS = 30
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Interval:
    """What became of attempts between `at` and the next interval's `at`."""

    at: datetime
    accepted: int = 0
    deferred: int = 0
    failed: int = 0


def last_minutes(cursor: Any, now: datetime) -> list[Interval]:
    """Of all servers, in intervals of ten seconds."""
    first = _floor(now) - (INTERVALS - 1) * INTERVAL
    sums = [[0, 0, 0] for _ in range(INTERVALS)]
    for one in server_health.throughput(cursor, first):
        slot = (one.start - first) // INTERVAL
        if 0 <= slot < INTERVALS:
            sums[slot][0] += one.accepted
            sums[slot][1] += one.deferred
            sums[slot][2] += one.failed
    return [Interval(first + slot * INTERVAL, *counts) for slot, counts in enumerate(sums)]


def hourly(cursor: Any, now: datetime) -> dict[int, list[Answers]]:
    """By server: the answers that `last_hours` is made from."""
    return server_health.hours(cursor, _first_hour(now))


def last_hours(answers: Sequence[Answers], now: datetime) -> list[Interval]:
    """Of one server."""
    first = _first_hour(now)
    found = {one.start.astimezone(UTC): one for one in answers}
    return [_interval(hour, found.get(hour)) for hour in (first + n * HOUR for n in range(HOURS))]


def days_of_server(cursor: Any, server: int, today: date) -> tuple[list[Interval], list[Usage]]:
    """And the days that there is something to tell of, newest first."""
    found = {usage.day: usage for usage in daily_usage.history(cursor, _first_day(today), server)}
    return last_days(found, today), list(reversed(found.values()))


def days_of_all(cursor: Any, today: date) -> list[Interval]:
    return last_days({one.day: one for one in daily_usage.by_day(cursor, _first_day(today))}, today)


def last_days(found: Mapping[date, Usage | Outcomes], today: date) -> list[Interval]:
    days = [_first_day(today) + timedelta(days=number) for number in range(DAYS)]
    return [_interval(_noon(day), found.get(day)) for day in days]


def _interval(at: datetime, found: Answers | Usage | Outcomes | None) -> Interval:
    return Interval(at) if found is None else Interval(at, found.accepted, found.deferred, found.failed)


def _floor(now: datetime) -> datetime:
    return now - timedelta(seconds=now.second % INTERVAL.seconds, microseconds=now.microsecond)


def _first_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * HOUR


def _first_day(today: date) -> date:
    return today - timedelta(days=DAYS - 1)


def _noon(day: date) -> datetime:
    """In UTC, which is that date nearly everywhere."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
