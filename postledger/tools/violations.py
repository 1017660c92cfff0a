"""Checks of limits and windows from the log alone, written without the planner's code.

Times are those at which attempts were recorded. A day is a local date, a window is given as the policy
has it; wall times are compared as such, minute by minute, which is another way than the calendar's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

ATTEMPTS = """
    SELECT recorded_at, (convert_from(state, 'UTF8')::jsonb->>'server')::integer
    FROM events WHERE topic = 'delivery.attempt_started' ORDER BY recorded_at, position
"""

SENT_BY_DAY = """
    SELECT to_char((recorded_at AT TIME ZONE %s)::date, 'YYYY-MM-DD'), count(*)
    FROM events WHERE topic = 'delivery.accepted' GROUP BY 1 ORDER BY 1
"""


class DayOfSending(NamedTuple):
    date: str
    sent: int


def days_of(cursor: Any, timezone: str) -> list[DayOfSending]:
    cursor.execute(SENT_BY_DAY, (timezone,))
    return [DayOfSending(*row) for row in cursor.fetchall()]


def limit_violations(cursor: Any, timezone: str, daily_limit: int, sliding: tuple[int, int] | None) -> int:
    """Attempts over a server's daily limit, and over N in some stretch of W seconds. 0 is unlimited."""
    zone, violations = ZoneInfo(timezone), 0
    by_day: dict[tuple[int, object], int] = defaultdict(int)
    recent: dict[int, deque[float]] = defaultdict(deque)
    cursor.execute(ATTEMPTS)
    for at, server in cursor.fetchall():
        day = (server, at.astimezone(zone).date())
        by_day[day] += 1
        violations += bool(daily_limit) and by_day[day] > daily_limit
        if sliding:
            stretch = recent[server]
            stretch.append(at.timestamp())
            while stretch[0] <= stretch[-1] - sliding[1]:
                stretch.popleft()
            violations += len(stretch) > sliding[0]
    return violations


def window_violations(cursor: Any, timezone: str, windows: str, weekdays: set[int]) -> int:
    """Attempts at a wall time that no range holds, or on a weekday (ISO, 1 is Monday) not allowed."""
    zone = ZoneInfo(timezone)
    ranges = [tuple(_minute(end) for end in text.split("-")) for text in windows.split(",") if text.strip()]
    cursor.execute(ATTEMPTS)
    return sum(not _is_allowed(at.astimezone(zone), ranges, weekdays) for at, _ in cursor.fetchall())


def _minute(text: str) -> int:
    hours, minutes = text.strip().split(":")
    return 60 * int(hours) + int(minutes)


def _is_allowed(local: Any, ranges: list[tuple[int, ...]], weekdays: set[int]) -> bool:
    minute, today = 60 * local.hour + local.minute, local.isoweekday()
    yesterday = (today - 2) % 7 + 1
    for begin, end in ranges or [(0, 1440)]:
        if begin < end:
            if begin <= minute < end and today in weekdays:
                return True
        elif (minute >= begin and today in weekdays) or (minute < end and yesterday in weekdays):
            return True
    return False
