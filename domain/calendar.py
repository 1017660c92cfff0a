"""When e-mail may go out: windows of local wall-clock time on chosen weekdays, as instants in UTC.

Windows are half-open; on a holiday none opens. A wall time that the clock jumps over means the instant
of the jump; of one that occurs twice, a window opens at the first and closes at the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.errors import Refused

EVERY_DAY = frozenset(range(1, 8))
_DAY = 24 * 60
# Windows repeat weekly; twice that covers a week whose only opening a clock change swallows.
_HORIZON = timedelta(days=15)
_RANGE = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)", re.ASCII)


class Window(NamedTuple):
    """Minutes since local midnight. One that closes no later than it opens ends on the next day."""

    opens: int
    closes: int


class Hours(Protocol):
    """What tells when sending is allowed. All instants are aware; those returned are in UTC."""

    def is_open(self, at: datetime) -> bool: ...

    def opens_at(self, at: datetime) -> datetime | None:
        """`at` itself when open, else the next opening; None when it never opens."""

    def closes_at(self, at: datetime) -> datetime | None:
        """The end of the open stretch that `at` is in; `at` itself when closed; None when it never closes."""

    def local_date(self, at: datetime) -> date: ...

    def midnight_after(self, at: datetime) -> datetime:
        """The start of the next local day."""

    def repeats_from(self, at: datetime) -> datetime:
        """From when on, `at` or later, every week is like any other: no holiday follows."""


LONGEST_WINDOWS = 200
"""Characters of windows as they are written."""


def parse_windows(text: str, field: str = "windows") -> tuple[Window, ...]:
    """Reads `08:00-20:00,22:00-06:00`; nothing for an empty text, which means always.

    Raises Refused, naming `field`.
    """
    if not text.strip():
        return ()
    return tuple(_parse_window(part.strip(), field) for part in text.split(","))


def _parse_window(text: str, field: str) -> Window:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise Refused(f"{field}: '{text}' is not a range like 08:00-20:00 or 22:00-06:00", field)
    numbers = [int(number) for number in match.groups()]
    opens, closes = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if numbers[1] > 59 or numbers[3] > 59 or opens >= _DAY or closes > _DAY:
        raise Refused(f"{field}: '{text}' has no such time: from 00:00 to 23:59, or 24:00 as an end", field)
    if opens == closes:
        raise Refused(
            f"{field}: '{text}' opens and closes at the same time; a whole day is 00:00-24:00", field
        )
    return Window(opens, closes)


def parse_timezone(name: str, field: str = "timezone") -> ZoneInfo:
    """Raises Refused, naming `field`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f"{field}: '{name}' is not a time zone like Europe/Berlin or UTC", field) from None


@dataclass(frozen=True)
class Calendar:
    """`weekdays` are ISO numbers, 1 is Monday; an overnight window belongs to the day it opens on, so one
    that opened the evening before a holiday ends as usual. Without windows every chosen day is open from
    midnight to midnight."""

    timezone: str
    windows: tuple[Window, ...] = ()
    weekdays: frozenset[int] = EVERY_DAY
    holidays: frozenset[date] = frozenset()

    @classmethod
    def of(
        cls,
        timezone: str,
        windows: str = "",
        weekdays: frozenset[int] = EVERY_DAY,
        holidays: frozenset[date] = frozenset(),
    ) -> Calendar:
        """From the texts of a policy or a server. Raises Refused."""
        parse_timezone(timezone)
        return cls(timezone, parse_windows(windows), frozenset(weekdays), frozenset(holidays))

    def is_open(self, at: datetime) -> bool:
        today = self.local_date(at)
        return any(
            opens <= at < closes
            for days in (-1, 0, 1)
            for opens, closes in _stretches_of(self, today + timedelta(days))
        )

    def opens_at(self, at: datetime) -> datetime | None:
        stretch = _next_stretch(self, at)
        return None if stretch is None else max(stretch[0], at.astimezone(UTC))

    def closes_at(self, at: datetime) -> datetime | None:
        stretch = _next_stretch(self, at)
        if stretch is None or at < stretch[0]:
            return at.astimezone(UTC)
        return None if stretch[1] - at >= _HORIZON else stretch[1]

    def local_date(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.timezone)).date()

    def midnight_after(self, at: datetime) -> datetime:
        tomorrow = self.local_date(at) + timedelta(1)
        first = self.starts(tomorrow)
        if first > at:
            return first
        return _instant(self.timezone, datetime.combine(tomorrow, datetime.min.time()), last=True)

    def starts(self, day: date) -> datetime:
        """The first midnight of a local date."""
        return _instant(self.timezone, datetime.combine(day, datetime.min.time()), last=False)

    def repeats_from(self, at: datetime) -> datetime:
        last = max(self.holidays, default=date.min)
        if last < self.local_date(at):
            return at.astimezone(UTC)
        return self.starts(last + timedelta(1))

    def stretches_after(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open stretches that end after `at`, in order, with adjoining windows made one."""
        today = self.local_date(at)
        current: tuple[datetime, datetime] | None = None
        span = (self.local_date(self.repeats_from(at)) - today).days + _HORIZON.days + 3
        for days in range(-2, span):
            if current is not None and days >= _HORIZON.days + 3:
                break
            for opens, closes in _stretches_of(self, today + timedelta(days)):
                if closes <= at:
                    continue
                if current is None:
                    current = opens, closes
                elif opens <= current[1]:
                    current = min(opens, current[0]), max(closes, current[1])
                else:
                    yield current
                    current = opens, closes
        if current is not None:
            yield current


@dataclass(frozen=True)
class _Both:
    """Open when both are; days are the first one's."""

    one: Hours
    other: Hours

    def is_open(self, at: datetime) -> bool:
        return self.one.is_open(at) and self.other.is_open(at)

    def opens_at(self, at: datetime) -> datetime | None:
        instant, horizon = at.astimezone(UTC), self.repeats_from(at) + _HORIZON
        while instant < horizon:
            one, other = self.one.opens_at(instant), self.other.opens_at(instant)
            if one is None or other is None:
                return None
            if one == other:
                return one
            instant = max(one, other)
        return None

    def closes_at(self, at: datetime) -> datetime | None:
        one, other = self.one.closes_at(at), self.other.closes_at(at)
        if one is None or other is None:
            return one or other
        return min(one, other)

    def local_date(self, at: datetime) -> date:
        return self.one.local_date(at)

    def midnight_after(self, at: datetime) -> datetime:
        return self.one.midnight_after(at)

    def repeats_from(self, at: datetime) -> datetime:
        return max(self.one.repeats_from(at), self.other.repeats_from(at))


def both(one: Hours, other: Hours) -> Hours:
    """The hours in which both are open: the policy's and a server's, in the policy's time zone."""
    return _Both(one, other)


@lru_cache(maxsize=64)
def _next_stretch(calendar: Calendar, at: datetime) -> tuple[datetime, datetime] | None:
    """Kept, since all servers are asked about one moment, and most have the same hours."""
    return next(calendar.stretches_after(at), None)


@lru_cache(maxsize=4096)
def _stretches_of(calendar: Calendar, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """What the windows that open on one local day come to, in order of opening."""
    if day.isoweekday() not in calendar.weekdays or day in calendar.holidays:
        return ()
    midnight = datetime.combine(day, datetime.min.time())
    stretches = []
    for opens, closes in calendar.windows or (Window(0, _DAY),):
        ends = closes if closes > opens else closes + _DAY
        start = _instant(calendar.timezone, midnight + timedelta(minutes=opens), last=False)
        end = _instant(calendar.timezone, midnight + timedelta(minutes=ends), last=True)
        if start < end:
            stretches.append((start, end))
    return tuple(sorted(stretches))


@lru_cache(maxsize=4096)
def _instant(timezone: str, wall: datetime, last: bool) -> datetime:
    zone = ZoneInfo(timezone)
    instant = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _jump_over(zone, wall)


def _jump_over(zone: ZoneInfo, wall: datetime) -> datetime:
    """The instant at which the clock jumps over `wall`: with the offset of after the jump, fold 1,
    `wall` comes before it, with that of before, fold 0, after it (PEP 495)."""
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
