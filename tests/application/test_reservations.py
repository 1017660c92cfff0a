"""Reservations in a real log: two that race for the same limits, and what becomes of what was not used."""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg2
import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application import reservations as module
from application.reservation import Reservation
from application.reservations import Reservations
from domain.calendar import Calendar
from domain.capacity.capacity import Limits
from domain.streams import capacity_stream
from storage.log.committer import Committed, Committer
from storage.postgres.pool import Pool

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
BERLIN = Calendar.of("Europe/Berlin")
UTC_DAYS = Calendar.of("UTC")
SERVER = 1

WRITTEN = """
    SELECT topic, (convert_from(state, 'UTF8')::jsonb->>'reservation')::integer,
           (convert_from(state, 'UTF8')::jsonb->>'n')::integer,
           coalesce((convert_from(state, 'UTF8')::jsonb->>'unused')::integer, 0),
           coalesce((convert_from(state, 'UTF8')::jsonb->>'refused')::integer, 0)
    FROM events WHERE stream_id = %s ORDER BY version
"""


class Desk:
    """One processor's reservations, with the round of looking, settling and reserving made short."""

    def __init__(self, pool: Pool, name: str, committer: Committer | None = None) -> None:
        self.committer = committer or Committer(pool)
        self.reservations = Reservations(pool, self.committer, name)
        self._limits: dict[int, Limits] = {}

    def look(
        self, limits: Limits, now: datetime = NOON, server: int = SERVER, calendar: Calendar = UTC_DAYS
    ) -> int | None:
        """What is available after a look at the log."""
        self._limits[server] = limits
        day = calendar.local_date(now).isoformat()
        self.reservations.refresh({server: limits}, day, now.timestamp())
        return self.reservations.available(server, limits, day, now.timestamp())

    def reserve(
        self, units: int, limits: Limits, now: datetime = NOON, server: int = SERVER,
        calendar: Calendar = UTC_DAYS,
    ) -> None:  # fmt: skip
        self.reservations.reserve({server: units}, {server: limits}, calendar, now)

    def take(self, now: datetime = NOON, server: int = SERVER) -> Reservation:
        taken = self.take_one(now, server)
        assert taken is not None
        return taken

    def take_one(self, now: datetime = NOON, server: int = SERVER) -> Reservation | None:
        """By the limits that it looked with last."""
        return self.reservations.take(server, self._limits[server], now.timestamp())

    def take_all(self, now: datetime = NOON, server: int = SERVER) -> list[Reservation]:
        return list(iter(lambda: self.take_one(now, server), None))

    def use(self, units: int, now: datetime = NOON, *, refused: bool = False) -> None:
        """Attempts that begin and end at once."""
        for _ in range(units):
            self.reservations.ended(self.take(now), refused=refused)

    def settle(self, limits: Limits, now: datetime, server: int = SERVER) -> None:
        self.reservations.settle({server: limits}, now.timestamp())


@pytest.fixture
def desks(pool: Pool) -> Iterator[tuple[Desk, Desk]]:
    with ExitStack() as stack:
        yield opened(stack, pool, "processor:1"), opened(stack, pool, "processor:2")


def opened(stack: ExitStack, pool: Pool, name: str, committer: Committer | None = None) -> Desk:
    desk = Desk(pool, name, committer)
    stack.callback(desk.committer.close)
    return desk


def written(pool: Pool, server: int = SERVER) -> list[tuple[str, int | None, int | None, int, int]]:
    with pool.transaction() as cursor:
        cursor.execute(WRITTEN, (str(capacity_stream(server)),))
        return cursor.fetchall()


def returns(pool: Pool, server: int = SERVER) -> list[tuple[int | None, int, int]]:
    """(reservation, unused, refused) of each."""
    return [(row[1], row[3], row[4]) for row in written(pool, server) if row[0] == "capacity.returned"]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_two_that_race_for_a_daily_limit_use_it_up_exactly(desks: tuple[Desk, Desk]) -> None:
    limits, taken = Limits(daily=200), [0, 0]

    def race(number: int) -> None:
        desk, chance = desks[number], random.Random(number)
        while desk.look(limits):
            desk.reserve(chance.randint(1, 9), limits)
            taken[number] += len(desk.take_all())

    racers = [threading.Thread(target=race, args=(number,)) for number in (0, 1)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sum(taken) == 200


def test_who_comes_second_is_granted_nothing_until_a_new_look(desks: tuple[Desk, Desk]) -> None:
    one, other = desks
    limits = Limits(daily=10)
    assert one.look(limits) == other.look(limits) == 10
    one.reserve(8, limits)
    other.reserve(8, limits)
    assert other.take_all() == []
    assert other.look(limits) == 2
    other.reserve(8, limits)
    assert len(other.take_all()) == 2


def test_what_was_not_used_in_time_is_there_for_others(desks: tuple[Desk, Desk], pool: Pool) -> None:
    one, other = desks
    limits = Limits(daily=10)
    one.look(limits)
    one.reserve(10, limits)
    one.use(3)
    one.settle(limits, after(5))
    assert other.look(limits, after(5)) == 0
    one.settle(limits, after(10))
    assert other.look(limits, after(10)) == 7
    assert returns(pool) == [(1, 7, 0)]


def test_a_unit_that_was_refused_comes_back_to_the_day_but_not_to_the_window(
    desks: tuple[Desk, Desk],
) -> None:
    one, other = desks
    limits = Limits(daily=10, sliding=(10, 60.0))
    one.look(limits)
    one.reserve(10, limits)
    one.use(4)
    one.use(6, refused=True)
    one.settle(limits, after(1))
    assert other.look(limits, after(2)) == 0
    assert other.look(limits, after(60)) == 0
    assert other.look(limits, after(61.1)) == 6


def test_a_unit_whose_attempt_gave_the_server_nothing_comes_back_to_the_day_and_the_window(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, other = desks
    limits = Limits(daily=10, sliding=(10, 60.0))
    one.look(limits)
    one.reserve(10, limits)
    one.use(7)
    for _ in range(3):
        one.reservations.untouched(one.take())
    one.settle(limits, after(1))
    assert returns(pool) == [(1, 3, 0)]
    assert other.look(limits, after(2)) == 3


def test_such_a_unit_is_returned_although_all_were_taken(desks: tuple[Desk, Desk], pool: Pool) -> None:
    one, other = desks
    limits = Limits(daily=2)
    one.look(limits)
    one.reserve(2, limits)
    one.use(1)
    one.reservations.untouched(one.take())
    one.settle(limits, after(1))
    assert returns(pool) == [(1, 1, 0)]
    assert other.look(limits, after(2)) == 1


def test_a_reservation_stays_open_while_an_attempt_is_under_way(desks: tuple[Desk, Desk], pool: Pool) -> None:
    one, _ = desks
    limits = Limits(daily=10)
    one.look(limits)
    one.reserve(2, limits)
    taken = one.take()
    one.settle(limits, after(100))
    assert returns(pool) == []
    one.reservations.ended(taken, refused=False)
    one.settle(limits, after(101))
    assert returns(pool) == [(1, 1, 0)]


def test_a_unit_whose_attempt_was_not_recorded_counts_as_never_taken(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, _ = desks
    limits = Limits(daily=10)
    one.look(limits)
    one.reserve(1, limits)
    one.reservations.give_back(one.take())
    one.use(1)
    assert one.take_all() == []
    one.settle(limits, after(10))
    assert returns(pool) == []


def test_what_is_wholly_used_leaves_no_event_but_where_the_window_gains_by_it(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, other = desks
    plain, rolling = Limits(daily=10), Limits(sliding=(5, 30.0))
    one.look(plain)
    one.reserve(5, plain)
    one.use(5)
    one.settle(plain, after(1))
    assert returns(pool) == []
    one.look(rolling, server=2)
    one.reserve(5, rolling, server=2)
    for taken in one.take_all(server=2):
        one.reservations.ended(taken, refused=False)
    one.settle(rolling, after(1), server=2)
    assert returns(pool, 2) == [(1, 0, 0)]
    assert other.look(rolling, after(31), server=2) == 5


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


def test_a_conflict_while_settling_is_settled_later_and_once(desks: tuple[Desk, Desk], pool: Pool) -> None:
    one, other = desks
    limits = Limits(daily=10)
    one.look(limits)
    one.reserve(5, limits)
    other.look(limits)
    other.reserve(2, limits, after(9.5))
    one.settle(limits, after(10))
    assert returns(pool) == []
    one.look(limits, after(10))
    one.settle(limits, after(10))
    one.look(limits, after(11))
    one.settle(limits, after(11))
    assert returns(pool) == [(1, 5, 0)]


def test_all_is_returned_once_when_two_close_at_a_time(desks: tuple[Desk, Desk], pool: Pool) -> None:
    limits = Limits(daily=100)
    for n in range(6):
        for desk in desks:
            desk.look(limits, after(n))
            desk.reserve(3, limits, after(n))
    desks[0].use(2, after(1))
    closers = [
        threading.Thread(target=desk.reservations.close, args=(after(6).timestamp(),)) for desk in desks
    ]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()
    reservations = [n for n, row in enumerate(written(pool), 1) if row[0] == "capacity.reserved"]
    assert sorted(reservation for reservation, _, _ in returns(pool)) == reservations
    assert desks[0].look(limits, after(6)) == 98


def test_closing_leaves_open_what_an_attempt_without_an_end_names(
    desks: tuple[Desk, Desk], pool: Pool
) -> None:
    one, _ = desks
    limits = Limits(daily=100)
    one.look(limits)
    one.reserve(3, limits)
    one.take()
    one.reserve(4, limits)
    one.reservations.close(after(1).timestamp())
    assert returns(pool) == [(2, 4, 0)]


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


class Failing(Committer):
    """Does not get one server's events into the log."""

    def promise(self, events: Sequence[StoredEvent], *, notify: bool = True) -> Future[Committed]:
        if events[0].originator_id != capacity_stream(SERVER):
            return super().promise(events, notify=notify)
        failed: Future[Committed] = Future()
        failed.set_exception(psycopg2.OperationalError("no space left on device"))
        return failed


def test_one_server_that_cannot_be_reserved_for_takes_nothing_from_the_others(pool: Pool) -> None:
    limits = Limits(daily=10)
    with ExitStack() as stack:
        desk = opened(stack, pool, "processor:1", Failing(pool))
        for server in (SERVER, 2):
            desk.look(limits, server=server)
        with pytest.raises(psycopg2.OperationalError, match="no space"):
            desk.reservations.reserve({SERVER: 3, 2: 3}, {SERVER: limits, 2: limits}, UTC_DAYS, NOON)
        assert desk.take_all() == []
        assert len(desk.take_all(server=2)) == 3


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
