"""Reservations under limits and clocks that change."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application import reservations as module
from domain.calendar import Calendar
from domain.capacity.capacity import Limits
from storage.postgres.pool import Pool
from tests.application.desk import BERLIN, NOON, SERVER, UTC_DAYS, Desk, after, returns


def test_nothing_starts_so_late_that_the_server_may_count_it_later(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    long, short = Limits(daily=10), Limits(sliding=(10, 4.0))
    one.look(long)
    one.reserve(5, long)
    assert one.take(after(8.9))
    assert one.take_one(after(9)) is None
    one.look(short, server=2)
    one.reserve(5, short, server=2)
    assert one.take(after(0.7), server=2)
    assert one.take_one(after(0.75), 2) is None


def test_a_reservation_ends_with_the_day_and_the_next_day_has_its_whole_limit(
    desks: tuple[Desk, Desk],
) -> None:
    one, other = desks
    limits = Limits(daily=10)
    before_midnight = datetime(2026, 3, 4, 22, 59, 58, tzinfo=UTC)
    one.look(limits, before_midnight, calendar=BERLIN)
    one.reserve(10, limits, before_midnight, calendar=BERLIN)
    assert one.take(before_midnight)
    midnight = before_midnight + timedelta(seconds=2)
    assert one.take_one(midnight) is None
    assert other.look(limits, before_midnight, calendar=BERLIN) == 0
    assert other.look(limits, midnight, calendar=BERLIN) == 10


def test_a_time_zone_further_west_does_not_forget_what_was_used_yesterday(
    desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 5)
    one, other = desks
    limits = Limits(daily=10)
    evening = datetime(2026, 3, 4, 22, 0, tzinfo=UTC)
    for minutes in range(10):
        now = evening + timedelta(minutes=minutes)
        one.look(limits, now)
        one.reserve(1, limits, now)
        one.use(1, now)
    morning = evening + timedelta(hours=5)
    assert other.look(limits, morning) == 10
    assert other.look(limits, morning, calendar=Calendar.of("America/New_York")) == 0


def test_a_longer_window_counts_what_was_reserved_before(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    short, long = Limits(sliding=(10, 60.0)), Limits(sliding=(10, 3600.0))
    one.look(short)
    one.reserve(10, short)
    for taken in one.take_all():
        one.reservations.ended(taken, refused=False)
    one.settle(short, after(1))
    assert one.reservations.next_change({SERVER: long}, UTC_DAYS, after(100)) is None
    assert one.look(long, after(100)) == 0
    assert one.reservations.next_change({SERVER: long}, UTC_DAYS, after(100)) == after(3601).timestamp()


def test_a_lowered_limit_takes_back_what_was_reserved_and_not_used(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, other = desks
    high, low = Limits(daily=100), Limits(daily=7)
    one.look(high)
    one.reserve(50, high)
    one.use(5)
    under_way = one.take()
    assert one.look(low) == 0
    assert one.take_one() is None
    assert not under_way.may_be_spent(low, NOON.timestamp())
    one.settle(low, NOON)
    assert returns(pool) == []
    one.reservations.ended(under_way, refused=True)
    one.settle(low, NOON)
    assert returns(pool) == [(1, 44, 1)]
    assert one.look(low) == other.look(low) == 2


def test_a_raised_limit_leaves_what_is_reserved_as_it_is(desks: tuple[Desk, Desk], pool: Pool) -> None:
    one, _ = desks
    low, high = Limits(daily=7, sliding=(5, 60.0)), Limits(daily=0, sliding=(9, 60.0))
    one.look(low)
    one.reserve(4, low)
    one.look(high)
    assert len(one.take_all()) == 4
    one.settle(high, NOON)
    assert returns(pool) == []


def test_what_was_reserved_before_the_clock_was_set_back_is_not_used_after(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, other = desks
    limits = Limits(daily=10)
    one.look(limits, after(3600))
    one.reserve(4, limits, after(3600))
    assert one.take_one(after(0)) is None
    one.settle(limits, after(0))
    assert returns(pool) == [(1, 4, 0)]
    assert one.look(limits, after(0)) == other.look(limits, after(0)) == 10


def test_a_clock_set_back_by_days_brings_back_what_was_used_on_them(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    limits = Limits(daily=10)
    one.look(limits)
    one.reserve(4, limits)
    one.use(4)
    assert one.look(limits, NOON + timedelta(days=5)) == 10
    assert one.look(limits, NOON) == 6


numbers = count(100)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rate=st.integers(1, 20), window=st.sampled_from([2.0, 3.0, 30.0]), seed=st.integers(0, 2**32))
def test_no_stretch_of_the_window_ever_has_too_many_attempts(
    desks: tuple[Desk, Desk], rate: int, window: float, seed: int
) -> None:
    """Two of them, at moments of their own, each attempt reaching its server a little late."""
    chance, server, limits = random.Random(seed), next(numbers), Limits(sliding=(rate, window))
    now, times = 0.0, []
    for _ in range(60):
        now += chance.choice([0.01, 0.1, window / 10, window / 2, window])
        desk = chance.choice(desks)
        if desk.look(limits, after(now), server=server):
            desk.reserve(chance.randint(1, rate), limits, after(now), server=server)
        now += chance.choice([0.0, 0.1, 0.24, 0.7])
        while chance.random() < 0.9:
            taken = desk.take_one(after(now), server)
            if taken is None:
                break
            times.append(now + chance.choice([0.0, 0.2]))
            now = times[-1] if chance.random() < 0.2 else now
            desk.reservations.ended(taken, refused=False)
        desk.look(limits, after(now), server=server)
        # An attempt has ended only after its server has seen it.
        desk.settle(limits, after(max([now, *times])), server=server)
    times.sort()
    most = max((bisect_left(times, start + window) - n for n, start in enumerate(times)), default=0)
    assert most <= rate
