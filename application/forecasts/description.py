"""A forecast in words, as pages, API and command line tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.forecast.bottleneck import Assessment, Change, Situation
from domain.forecast.forecast import HORIZON, Day

MOST_DAYS = 14
"""Columns of the table by server."""


@dataclass(frozen=True, kw_only=True)
class DayRow:
    date: date
    title: str
    total: int
    others: int
    is_last: bool


@dataclass(frozen=True, kw_only=True)
class ServerDays:
    number: int
    name: str
    counts: Sequence[int]
    total: int


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    text: str
    finish: datetime
    title: str


@dataclass(frozen=True, kw_only=True)
class ForecastView:
    """`days_it_takes` counts calendar days from today, so that 1 is today; None without an end.
    `is_approximate` when `recipients` are not counted, but reckoned."""

    headline: str
    recipients: int
    is_approximate: bool
    start: datetime | None
    finish: datetime | None
    finish_title: str
    days_it_takes: int | None
    days: list[DayRow]
    servers: list[ServerDays]
    columns: list[DayRow]
    others: int
    left: int
    bottleneck: str
    bottleneck_code: str
    changes: list[ChangeRow]
    timezone: str
    is_speed_assumed: bool
    is_queue_paused: bool

    @property
    def busiest(self) -> int:
        """E-mails of the day that has most."""
        return max((day.total + day.others for day in self.days), default=0)


def forecast_view(situation: Situation, assessment: Assessment) -> ForecastView:
    found, policy = assessment.forecast, situation.policy
    today = policy.calendar.local_date(situation.now)
    days = [_day(day, today, day is found.days[-1]) for day in found.days]
    last = found.finish_day
    takes = None if last is None else (last - today).days + 1
    return ForecastView(
        headline=headline(found.recipients, takes, bool(found.days)),
        recipients=found.recipients,
        is_approximate=situation.is_approximate,
        start=found.start,
        finish=found.finish,
        finish_title=day_title(last, today) if last else "",
        days_it_takes=takes,
        days=days,
        servers=_servers(situation, found.days),
        columns=days[:MOST_DAYS],
        others=found.others,
        left=found.left,
        bottleneck=assessment.bottleneck.text,
        bottleneck_code=assessment.bottleneck.code,
        changes=[_change(one, situation, today) for one in assessment.changes],
        timezone=policy.timezone,
        is_speed_assumed=found.is_speed_assumed,
        is_queue_paused=policy.queue_paused,
    )


def headline(recipients: int, days_it_takes: int | None, is_sent_at_all: bool) -> str:
    if not recipients:
        return "There are no recipients"
    if days_it_takes is None:
        return (
            f"Not finished within {HORIZON} days"
            if is_sent_at_all
            else "It cannot be sent with these settings"
        )
    return {1: "Completes today", 2: "Completes tomorrow"}.get(
        days_it_takes, f"Completes in {days_it_takes} days"
    )


def day_title(day: date, today: date) -> str:
    """Friday 6 March; with the year when that is another one."""
    title = f"{day:%A} {day.day} {day:%B}"
    return title if day.year == today.year else f"{title} {day.year}"


def lateness(first: datetime, now: datetime) -> str:
    """How far two finishes are apart, in words; empty where that is less than ten minutes."""
    minutes = round(abs(now - first) / timedelta(minutes=1))
    if minutes < 10:
        return ""
    days, hours = minutes // 1440, minutes / 60
    if minutes < 90:
        apart = f"{minutes} minutes"
    elif hours < 36:
        apart = f"{round(hours)} hours"
    else:
        apart = f"{round(minutes / 1440)} days" if days else f"{round(hours)} hours"
    return f"{apart} {'later' if now > first else 'earlier'}"


def _day(day: Day, today: date, is_last: bool) -> DayRow:
    return DayRow(
        date=day.date,
        title=day_title(day.date, today),
        total=day.total,
        others=day.others,
        is_last=is_last,
    )


def _servers(situation: Situation, days: Sequence[Day]) -> list[ServerDays]:
    rows = [
        ServerDays(
            number=sender.server,
            name=situation.names.get(sender.server, ""),
            counts=[day.servers.get(sender.server, 0) for day in days[:MOST_DAYS]],
            total=sum(day.servers.get(sender.server, 0) for day in days),
        )
        for sender in situation.senders
    ]
    return [row for row in rows if row.total]


def _change(change: Change, situation: Situation, today: date) -> ChangeRow:
    day = situation.policy.calendar.local_date(change.finish)
    return ChangeRow(text=change.text, finish=change.finish, title=day_title(day, today))
