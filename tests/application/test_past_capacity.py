"""What the database sums up of a capacity stream is what comes of all its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from application.queue import past_capacity
from application.queue.past_capacity import LoggedCapacity
from domain.calendar import Calendar
from domain.capacity.capacity import Capacity, Limits, Reserved, Returned
from domain.capacity.past import TooMuchHappened
from domain.clock import VirtualClock
from domain.fact import Happened
from domain.streams import capacity_stream
from storage.log.append import Log
from storage.postgres.pool import Pool

START = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
"""Two days before Berlin's clocks change."""

ZONES = {zone: Calendar.of(zone) for zone in ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo")}

steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.3, 5.0, 40.0, 900.0, 3600.0, 7 * 3600.0]),
        st.sampled_from(["reserve", "reserve", "return", "return", "zone"]),
        st.integers(0, 11),
    ),
    max_size=40,
)
limits = st.builds(
    Limits,
    st.sampled_from([0, 20]),
    st.none() | st.tuples(st.integers(1, 12), st.sampled_from([10, 60, 3600, 86_400])),
).filter(lambda one: one.daily or one.sliding)


@dataclass
class Stream:
    """What processors write of one server: reservations, by clocks a little apart, and what comes back."""

    calendars: list[tuple[datetime, Calendar]]
    now: datetime = START
    server: int = 1
    happened: list[Happened] = field(default_factory=list)
    open: list[tuple[int, int]] = field(default_factory=list)

    def step(self, gap: float, what: str, chance: int) -> None:
        self.now += timedelta(seconds=gap)
        if what == "zone":
            self.calendars.append((self.now, list(ZONES.values())[chance % 4]))
        elif what == "reserve":
            n, skew = chance % 5 + 1, timedelta(seconds=(chance % 3 - 1) * 0.4)
            day = self.calendars[-1][1].local_date(self.now + skew).isoformat()
            self.open.append((self._write(Reserved, n=n, day=day, until=self._moment(chance % 10 + 1)), n))
        elif self.open:
            reservation, n = self.open.pop(chance % len(self.open))
            unused = chance % (n + 1)
            refused = (n - unused) // 2
            self._write(
                Returned, reservation=reservation, at=self._moment(-0.1), unused=unused, refused=refused
            )

    def _moment(self, seconds: float) -> float:
        return self.now.timestamp() + seconds

    def _write(self, kind: type[Reserved | Returned], **fields: Any) -> int:
        version = len(self.happened) + 1
        fact = kind(originator_id=capacity_stream(self.server), originator_version=version, by="x", **fields)
        self.happened.append(Happened(self.now, fact))
        return version

    def zone(self, at: datetime) -> Calendar:
        return next(calendar for since, calendar in reversed(self.calendars) if since <= at)

    def record(self, cursor: Any, log: Log, clock: VirtualClock) -> None:
        for at, fact in self.happened:
            assert isinstance(fact, Reserved | Returned)
            clock.advance_to(at)
            log.append_within(cursor, [fact.stored()], notify=False)


def stream_of(taken: list[tuple[float, str, int]], zone: str) -> Stream:
    stream = Stream([(datetime.min.replace(tzinfo=UTC), ZONES[zone])])
    for step in taken:
        stream.step(*step)
    return stream


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example([(7 * 3600.0, what, 2) for what in ("reserve", "zone", "reserve")], "Asia/Tokyo", Limits(20), 1.0)
@given(steps, st.sampled_from(list(ZONES)), limits, st.floats(0, 1))
def test_the_capacity_at_any_moment_goes_on_as_if_all_had_been_read(
    pool: Pool, taken: list[tuple[float, str, int]], zone: str, limit: Limits, when: float
) -> None:
    stream, clock = stream_of(taken, zone), VirtualClock(START)
    at = START + (stream.now + timedelta(hours=1) - START) * when
    with pool.transaction() as cursor:
        cursor.execute("SAVEPOINT before")
        stream.record(cursor, Log(pool, clock), clock)
        read = LoggedCapacity(cursor, stream.calendars, left=1000)
        summed_up = read.capacities({stream.server: limit}, at)[stream.server]
        following = read.following({stream.server: summed_up.version}, 100)[stream.server]
        cursor.execute("ROLLBACK TO before")
    folded = Capacity(limit.window)
    later = [one for one in stream.happened if one.at >= at]
    apply_all(folded, stream.happened[: len(stream.happened) - len(later)])
    assert summed_up.version == folded.version
    assert following == later
    assert counted(summed_up, at, limit, stream) == counted(folded, at, limit, stream)
    # When the time zone changes, a day that is over can come back: then capacity is read anew.
    for one in takewhile(lambda one: stream.zone(one.at) == stream.zone(at), later):
        apply_all(folded, [one])
        apply_all(summed_up, [one])
        assert counted(summed_up, one.at, limit, stream) == counted(folded, one.at, limit, stream)


def apply_all(capacity: Capacity, happened: list[Happened]) -> None:
    for _, fact in happened:
        assert isinstance(fact, Reserved | Returned)
        capacity.apply(fact.originator_version, fact)


def counted(capacity: Capacity, at: datetime, limit: Limits, stream: Stream) -> tuple[object, ...]:
    now, day = at.timestamp(), stream.zone(at).local_date(at).isoformat()
    return (
        capacity.used_on(day) if limit.daily else None,
        capacity.in_window(now, limit.window) if limit.sliding else None,
        capacity.rolling_frees_at(now, limit),
        capacity.counts(now, day, limit)[1:],
    )


def test_more_than_may_be_summed_up_is_not_read_at_all(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, clock, daily = stream_of([(60.0, "reserve", 0)] * 5, "UTC"), VirtualClock(START), {1: Limits(20)}
    with pool.transaction() as cursor:
        stream.record(cursor, Log(pool, clock), clock)
        for left, most_of_one, is_read in ((5, 5, True), (4, 5, False), (5, 4, False)):
            monkeypatch.setattr(past_capacity, "MOST_OF_ONE", most_of_one)
            read = LoggedCapacity(cursor, stream.calendars, left)
            if is_read:
                assert read.capacities(daily, stream.now + timedelta(minutes=1))[1].used_on("2026-03-27") == 5
                assert read.left == 0
            else:
                with pytest.raises(TooMuchHappened):
                    read.capacities(daily, stream.now + timedelta(minutes=1))


def test_a_rolling_window_reaches_back_no_further_than_itself(pool: Pool) -> None:
    stream, clock = stream_of([(900.0, "reserve", 0)] * 8, "UTC"), VirtualClock(START)
    with pool.transaction() as cursor:
        stream.record(cursor, Log(pool, clock), clock)
        for limit, reached in ((Limits(sliding=(9, 60)), 1), (Limits(sliding=(9, 3600)), 5), (Limits(20), 8)):
            read = LoggedCapacity(cursor, stream.calendars, left=100)
            read.capacities({1: limit}, stream.now + timedelta(seconds=1))
            assert 100 - read.left == reached
