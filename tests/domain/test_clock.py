"""The clocks that everything but the domain asks."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import SystemClock, VirtualClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_system_clock_shows_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


class Host:
    """A machine: what its clock shows, and how long it has been on. `clock` goes by both."""

    def __init__(self, shows: float = 5000.0) -> None:
        self.shows, self.on_for = shows, 100.0
        self.clock = SystemClock(lambda: self.shows, lambda: self.on_for)

    def goes_on(self, seconds: float, *, set_by: float = 0.0) -> None:
        self.shows += seconds + set_by
        self.on_for += seconds

    def hears(self, theirs: float, round_trip: float = 0.0) -> float:
        asked = self.on_for
        self.goes_on(round_trip)
        return self.clock.heard(theirs, asked)


def test_a_clock_that_was_never_set_shows_the_hosts_time_and_is_not_trusted() -> None:
    host = Host()
    assert host.clock.seconds() == host.clock.earliest() == 5000.0
    assert host.clock.latest() == math.inf
    assert not host.clock.is_trusted()


def test_a_clock_shows_what_it_was_set_by_and_goes_on_from_there() -> None:
    host = Host(shows=9_999.0)
    host.hears(5000.0)
    host.goes_on(1.0)
    assert host.clock.seconds() == pytest.approx(5001.0)
    assert host.clock.now() == datetime.fromtimestamp(5001.0, UTC)


@given(
    theirs=st.floats(0, 4e9),
    halves=st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)),
    passed=st.floats(0, 10),
    drift=st.floats(-0.09, 0.09),
)
def test_the_time_is_between_the_earliest_and_the_latest(
    theirs: float, halves: tuple[float, float], passed: float, drift: float
) -> None:
    """However long the question and the answer took, and although both clocks go a little wrong."""
    host, (there, back) = Host(), halves
    host.hears(theirs, there + back)
    host.goes_on(passed)
    present = theirs + back + passed * (1 + drift)
    assert host.clock.earliest() - 1e-5 <= present <= host.clock.latest() + 1e-5


@pytest.mark.parametrize("by", [3600.0, -3600.0, 1.0, -1.0])
def test_a_host_that_is_set_changes_nothing_once_the_clock_was_heard_again(by: float) -> None:
    host = Host()
    host.hears(5000.0)
    host.goes_on(0.5, set_by=by)
    assert host.clock.seconds() == pytest.approx(5000.5)
    assert not host.clock.is_trusted()
    assert host.hears(5000.5) == 0.0
    assert host.clock.is_trusted()


def test_a_clock_that_was_not_heard_for_long_is_not_trusted_until_it_is() -> None:
    host = Host()
    host.hears(5000.0)
    host.goes_on(4.9)
    assert host.clock.is_trusted()
    host.goes_on(0.2)
    assert not host.clock.is_trusted()
    host.hears(5005.1)
    assert host.clock.is_trusted()


def test_a_slow_answer_does_not_replace_what_is_known_better() -> None:
    host = Host()
    host.hears(5000.0)
    host.goes_on(1.0)
    assert host.hears(5001.3, round_trip=0.4) == 0.0
    assert host.clock.seconds() == pytest.approx(5001.4)


def test_answers_that_take_too_long_leave_it_open_what_time_it_is() -> None:
    host = Host()
    host.hears(5000.0, round_trip=1.2)
    assert not host.clock.is_trusted()


@pytest.mark.parametrize("by", [3600.0, -3600.0])
def test_a_clock_follows_when_that_of_all_is_set_and_tells_by_how_much(by: float) -> None:
    host = Host()
    host.hears(5000.0)
    host.goes_on(1.0)
    assert host.hears(5001.0 + by) == pytest.approx(by)
    assert host.clock.seconds() == pytest.approx(5001.0 + by)


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
