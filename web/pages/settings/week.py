"""The sending calendar drawn as a week: for each day the hours in which e-mail may go out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.calendar import Calendar, Window

DAY = 24 * 60
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class OpenHours:
    """`x` and `width` in per cent of the day. `night`: it opened the evening before."""

    opens: str
    closes: str
    x: float
    width: float
    night: bool


@dataclass(frozen=True)
class DayOfWeek:
    """A local day, by the clock on the wall."""

    day: date
    name: str
    holiday: bool
    stretches: Sequence[OpenHours]
    is_today: bool

    @property
    def said(self) -> str:
        hours = ", ".join(f"{one.opens} to {one.closes}" for one in self.stretches) or "closed"
        return f"{hours}{' (holiday: no window opens)' if self.holiday else ''}"


def week(calendar: Calendar, today: date) -> list[DayOfWeek]:
    """The seven days from `today` on, with holidays as they fall."""
    return [day_of(calendar, today + timedelta(days=number), today) for number in range(7)]


def day_of(calendar: Calendar, day: date, today: date) -> DayOfWeek:
    before = [(closes, True) for _, closes in overnight(calendar, day - timedelta(days=1))]
    spans = [(0, closes, night) for closes, night in before if closes]
    spans += [(opens, closes, False) for opens, closes in opened_on(calendar, day)]
    return DayOfWeek(
        day=day,
        name=NAMES[day.weekday()],
        holiday=day in calendar.holidays,
        stretches=[stretch(*span) for span in joined(spans)],
        is_today=day == today,
    )


def is_sending_day(calendar: Calendar, day: date) -> bool:
    return day.isoweekday() in calendar.weekdays and day not in calendar.holidays


def opened_on(calendar: Calendar, day: date) -> list[tuple[int, int]]:
    """Until midnight; what an overnight window has left falls on the next day."""
    if not is_sending_day(calendar, day):
        return []
    windows = calendar.windows or (Window(0, DAY),)
    return [(opens, closes if closes > opens else DAY) for opens, closes in windows]


def overnight(calendar: Calendar, day: date) -> list[Window]:
    if not is_sending_day(calendar, day):
        return []
    return [window for window in calendar.windows if window.closes <= window.opens]


def joined(spans: Iterable[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Those that touch or overlap made one."""
    made: list[tuple[int, int, bool]] = []
    for opens, closes, night in sorted(spans):
        if made and opens <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], closes), made[-1][2] and night)
        else:
            made.append((opens, closes, night))
    return made


def stretch(opens: int, closes: int, night: bool) -> OpenHours:
    return OpenHours(
        clock(opens),
        clock(closes),
        round(100 * opens / DAY, 3),
        round(100 * (closes - opens) / DAY, 3),
        night,
    )


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def now_at(now: datetime) -> float:
    """Where a local time is in its day, in per cent."""
    return round(100 * (now.hour * 60 + now.minute) / DAY, 2)
