"""What a delivery that was next in line waited for shows in what was written meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.delivery.in_line import Sent, by_what_was_sent
from domain.delivery.waiting import NEXT_IN_LINE
from domain.delivery.waits import Wait

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)


def hours(number: float) -> datetime:
    return MONDAY + timedelta(hours=number)


IN_LINE = Wait(since=hours(0), until=hours(4), waiting=NEXT_IN_LINE)


def _hours_after(at: datetime) -> str:
    return f"{(at - MONDAY) / timedelta(hours=1):g}"


def told(found: list[Wait]) -> list[str]:
    return [f"{_hours_after(wait.since)}-{_hours_after(wait.until)} {wait.waiting.code}" for wait in found]


def test_in_line_behind_campaigns_of_higher_priority() -> None:
    sent = [Sent(hours(n / 10), hours(n / 10 + 0.05), is_higher=n < 20) for n in range(40)]
    found = by_what_was_sent(IN_LINE, sent, timedelta(hours=0.2))
    assert told(found) == ["0-1.95 priority", "1.95-4 next_in_line"]


def test_in_line_while_the_log_shows_no_processor() -> None:
    sent = [Sent(hours(1), hours(1.5), is_higher=False), Sent(hours(3.9), hours(4), is_higher=False)]
    found = by_what_was_sent(IN_LINE, sent, timedelta(seconds=10))
    assert told(found) == [
        "0-1 no_processor", "1-1.5 next_in_line", "1.5-3.9 no_processor", "3.9-4 next_in_line",
    ]  # fmt: skip
    assert told(by_what_was_sent(IN_LINE, [], timedelta(seconds=10))) == ["0-4 no_processor"]
    assert told(by_what_was_sent(IN_LINE, [], timedelta(hours=5))) == ["0-4 next_in_line"]
