"""Reservations in a real log: two that race for the same limits, and what becomes of what was not used."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack

import psycopg2
import pytest
from eventsourcing.persistence import StoredEvent

from domain.capacity.capacity import Limits
from domain.streams import capacity_stream
from storage.log.committer import Committed, Committer
from storage.postgres.pool import Pool
from tests.application.desk import NOON, SERVER, UTC_DAYS, Desk, after, opened, returns, written


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
