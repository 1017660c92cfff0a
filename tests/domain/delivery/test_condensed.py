"""Many waits are told as few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.delivery.condensed import MOST_WAITS, condensed
from domain.delivery.waiting import NEXT_IN_LINE, Waiting
from domain.delivery.waits import Wait
from domain.server.availability import Reason

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)


def hours(number: float) -> datetime:
    return MONDAY + timedelta(hours=number)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.booleans()), min_size=1, max_size=300))
def test_too_many_waits_are_told_together_and_none_is_lost(parts: list[tuple[int, bool]]) -> None:
    found, at = [], MONDAY
    for seconds, is_full in parts:
        waiting = Waiting(Reason.ROLLING_LIMIT, at) if is_full else NEXT_IN_LINE
        found.append(Wait(since=at, until=at + timedelta(seconds=seconds), waiting=waiting))
        at = found[-1].until
    short = condensed(found)
    assert len(short) <= MOST_WAITS
    assert (short[0].since, short[-1].until) == (MONDAY, at)
    assert all(a.until == b.since for a, b in pairwise(short))


def test_a_limit_that_is_reached_every_minute_is_told_as_the_limit_and_apart_from_the_hours_before() -> None:
    full, closed = (
        Waiting(Reason.ROLLING_LIMIT, hours(0), server="all servers"),
        Waiting(Reason.CALENDAR, hours(0)),
    )
    found = [Wait(since=hours(-8), until=hours(0), waiting=closed)]
    for minute in range(100):
        at = hours(minute / 60)
        found.append(Wait(since=at, until=at + timedelta(seconds=10), waiting=NEXT_IN_LINE))
        found.append(Wait(since=at + timedelta(seconds=10), until=hours((minute + 1) / 60), waiting=full))
    assert list(map(str, condensed(found))) == [
        "outside the sending window, on and off, to 2026-03-02T06:00:10Z",
        "all servers: rolling limit reached, on and off, to 2026-03-02T07:40:00Z",
    ]
