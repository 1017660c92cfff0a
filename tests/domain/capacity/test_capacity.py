"""Reservations under random traffic, against attempts counted one by one."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.capacity import capacity as module
from domain.capacity.capacity import Capacity, Limits, is_out_of_reach
from tests.domain.capacity.facts import reserved, returned
from tests.domain.capacity.traffic import DAY_LENGTH, Traffic, day_at, limits


@settings(deadline=None, max_examples=300)
@given(limits, st.integers(0, 2**32))
def test_no_traffic_exceeds_a_limit(limits: Limits, seed: int) -> None:
    traffic = Traffic(limits, seed)
    traffic.run(150)
    if limits.sliding:
        assert traffic.most_in_any_stretch() <= limits.sliding[0]
    if limits.daily:
        assert max(traffic.per_day.values(), default=0) <= limits.daily


@settings(deadline=None, max_examples=100)
@given(limits, st.integers(0, 2**32))
def test_when_all_is_returned_and_past_everything_is_available_again(limits: Limits, seed: int) -> None:
    traffic = Traffic(limits, seed)
    traffic.run(60)
    for held in list(traffic.held):
        version = traffic.capacity.version + 1
        unused = held.n - len(held.attempts)
        traffic.capacity.apply(version, returned(version, held.version, traffic.now, unused, held.refused))
    later = traffic.now + max(limits.window, DAY_LENGTH)
    expected = [limit for limit in (limits.daily, limits.sliding and limits.sliding[0]) if limit]
    free = traffic.capacity.available(later, day_at(later), limits)
    assert free == (min(expected) if expected else None)


@settings(deadline=None, max_examples=100)
@given(limits, st.integers(0, 2**32))
def test_once_all_is_returned_only_real_attempts_count(limits: Limits, seed: int) -> None:
    traffic = Traffic(limits, seed)
    traffic.run(60)
    for held in list(traffic.held):
        version = traffic.capacity.version + 1
        unused = held.n - len(held.attempts)
        traffic.capacity.apply(version, returned(version, held.version, traffic.now, unused, held.refused))
        traffic.held.remove(held)
    assert traffic.capacity.used_on(day_at(traffic.now)) == traffic.per_day[day_at(traffic.now)]


@settings(deadline=None, max_examples=200)
@given(limits, st.integers(0, 2**32))
def test_the_next_change_is_the_first_moment_with_something_available(limits: Limits, seed: int) -> None:
    traffic = Traffic(limits, seed)
    traffic.run(80)
    now, day = traffic.now, day_at(traffic.now)
    midnight = (now // DAY_LENGTH + 1) * DAY_LENGTH
    change = traffic.capacity.next_change(now, day, midnight, limits)
    assert change is not None

    def is_available(at: float) -> bool:
        return traffic.capacity.available(at, day_at(at), limits) != 0

    if change > now:
        assert not is_available(now)
        shortly_before = now + (change - now) * 0.999
        assert shortly_before == change or not is_available(shortly_before), "or they are one float apart"
    assert is_available(change)


def test_an_unlimited_server_has_no_remainder() -> None:
    assert Capacity(0).available(0, "2026-01-01", Limits()) is None


def test_the_smaller_remainder_decides() -> None:
    limits = Limits(daily=10, sliding=(4, 60))
    capacity = Capacity(60)
    capacity.apply(1, reserved(1, 3, "2026-01-01", 5))
    assert capacity.available(0, "2026-01-01", limits) == 1
    assert capacity.available(65, "2026-01-01", limits) == 4
    capacity.apply(2, reserved(2, 4, "2026-01-01", 70))
    assert capacity.available(130, "2026-01-01", limits) == 3


def test_a_reservation_counts_until_its_validity_plus_the_window() -> None:
    limits, capacity = Limits(sliding=(5, 60)), Capacity(60)
    capacity.apply(1, reserved(1, 5, "2026-01-01", 10))
    assert capacity.available(69.9, "2026-01-01", limits) == 0
    assert capacity.available(70, "2026-01-01", limits) == 5
    assert capacity.rolling_frees_at(20, limits) == 70


def test_a_return_lets_used_units_go_earlier_and_unused_ones_at_once() -> None:
    limits, capacity = Limits(sliding=(5, 60)), Capacity(60)
    capacity.apply(1, reserved(1, 5, "2026-01-01", 10))
    capacity.apply(2, returned(2, 1, at=4, unused=2))
    assert capacity.available(4, "2026-01-01", limits) == 2
    assert capacity.available(64, "2026-01-01", limits) == 5


def test_a_late_return_does_not_count_longer_than_the_validity() -> None:
    limits, capacity = Limits(sliding=(5, 60)), Capacity(60)
    capacity.apply(1, reserved(1, 5, "2026-01-01", 10))
    capacity.apply(2, returned(2, 1, at=50))
    assert capacity.available(70, "2026-01-01", limits) == 5


def test_refused_units_come_back_to_the_day_but_not_to_the_window() -> None:
    limits, capacity = Limits(daily=10, sliding=(10, 60)), Capacity(60)
    capacity.apply(1, reserved(1, 4, "2026-01-01", 10))
    capacity.apply(2, returned(2, 1, at=5, unused=1, refused=2))
    assert capacity.used_on("2026-01-01") == 1
    assert capacity.available(5, "2026-01-01", Limits(daily=10)) == 9
    assert capacity.available(5, "2026-01-01", limits) == 7


def test_yesterdays_return_does_not_touch_today() -> None:
    limits, capacity = Limits(daily=10), Capacity(0)
    capacity.apply(1, reserved(1, 4, "2026-01-01", 86_400))
    assert capacity.available(86_401, "2026-01-02", limits) == 10
    capacity.apply(2, reserved(2, 1, "2026-01-02", 86_410))
    capacity.apply(3, returned(3, 1, at=86_405, unused=4))
    assert capacity.available(86_406, "2026-01-02", limits) == 9


def test_a_lowered_limit_leaves_nothing_rather_than_less_than_nothing() -> None:
    capacity = Capacity(60)
    capacity.apply(1, reserved(1, 8, "2026-01-01", 10))
    assert capacity.available(0, "2026-01-01", Limits(daily=5)) == 0
    assert capacity.available(0, "2026-01-01", Limits(sliding=(5, 60))) == 0


def test_a_skipped_event_is_noticed() -> None:
    capacity = Capacity(60)
    capacity.apply(7, reserved(7, 1, "2026-01-01", 10))
    with pytest.raises(ValueError, match="version 7, the event is version 9"):
        capacity.apply(9, reserved(9, 1, "2026-01-01", 10))


def test_a_longer_window_than_folded_for_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"at most 60 s, asked for 61 s"):
        Capacity(60).available(0, "2026-01-01", Limits(sliding=(1, 61)))


def test_memory_stays_bounded_and_a_full_window_stays_exact_to_a_thousandth() -> None:
    window, limits = 86_400.0, Limits(daily=1_000_000, sliding=(1_000_000, 86_400.0))
    capacity, used = Capacity(window), 0
    for second in range(0, 3 * 86_400, 10):
        day = f"2026-01-{1 + second // 86_400:02d}"
        version = capacity.version + 1
        capacity.apply(version, reserved(version, 3, day, second + 10.0))
        capacity.apply(version + 1, returned(version + 1, version, second + 9.0, unused=1))
        if second % 3600 == 0:
            used = 1_000_000 - (capacity.available(second + 9.0, day, limits) or 0)
    assert len(capacity._closed) <= module._MANY + 360
    assert capacity._used.keys() == {"2026-01-02", "2026-01-03"}
    assert not capacity._open
    assert 2 * 8640 <= used <= 2 * 8640 * 1.002


@settings(deadline=None, max_examples=200)
@given(limits, st.integers(0, 2**32), st.floats(0, 2 * DAY_LENGTH))
def test_events_out_of_reach_need_not_be_read(limits: Limits, seed: int, later: float) -> None:
    traffic = Traffic(limits, seed)
    recorded: list[object] = []
    apply = traffic.capacity.apply

    def record(version: int, event: object) -> None:
        recorded.append(event)
        apply(version, event)

    with patch.object(traffic.capacity, "apply", record):
        traffic.run(120)
    now = traffic.now + later
    day = day_at(now)
    unread = len(recorded)
    with patch.object(module, "LONGEST_VALIDITY", 10):
        while unread and not is_out_of_reach(recorded[unread - 1], now, day, limits.window):
            unread -= 1
    partial = Capacity(limits.window)
    for version, event in list(enumerate(recorded, 1))[unread:]:
        partial.apply(version, event)
    assert partial.available(now, day, limits) == traffic.capacity.available(now, day, limits)


def test_what_was_used_by_a_clock_that_was_set_back_since_counts_as_used_by_now() -> None:
    """An hour ahead and back: a window of ten seconds is free ten seconds after that, and not before."""
    capacity, limit, hour = Capacity(10.0), Limits(sliding=(5, 10.0)), 3600.0
    capacity.apply(1, reserved(1, 2, "2026-01-01", hour + 10.0))
    capacity.apply(2, returned(2, 1, hour + 1.0))
    capacity.apply(3, reserved(3, 3, "2026-01-01", hour + 12.0))
    assert capacity.available(2.0, "2026-01-01", limit) == 0
    assert capacity.available(12.9, "2026-01-01", limit) == 0
    assert capacity.available(13.1, "2026-01-01", limit) == 2
    assert capacity.available(26.9, "2026-01-01", limit) == 2
    assert capacity.available(27.1, "2026-01-01", limit) == 5
