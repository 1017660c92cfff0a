"""The clocks that everything but the domain asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.clock import SystemClock, VirtualClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_system_clock_shows_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_virtual_clock_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance_to(datetime(2026, 11, 24, 14, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now().isoformat() == "2026-11-24T13:00:00+00:00"


def test_a_virtual_clock_never_goes_back() -> None:
    clock = VirtualClock(NOON)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance_to(NOON - timedelta(microseconds=1))


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        VirtualClock(datetime(2026, 11, 24, 12))
