"""A connection that breaks in the middle of an append neither loses events nor repeats them."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from psycopg2.extensions import connection

from storage.log.append import Conflict, Log
from storage.log.committer import Committed, Committer, NotCommitted, Result, Unavailable, Unresolved
from storage.log.verify import verify
from storage.postgres.pool import Pool

WaitForBlocked = Callable[[int], list[int]]


def event(stream: int, version: int = 1) -> StoredEvent:
    return StoredEvent(UUID(int=stream), version, "tried", b'{"n":%d}' % stream)


def streams(admin: connection) -> list[int]:
    with admin.cursor() as cur:
        cur.execute("SELECT stream_id FROM events ORDER BY position")
        return [UUID(stream).int for (stream,) in cur.fetchall()]


@pytest.mark.parametrize("fault", ["request", "answer"])
def test_the_committer_finds_out_whether_a_commit_came_through(
    wire: Any, admin: connection, pool: Pool, fault: str
) -> None:
    committer = Committer(wire.url)
    committer.append([event(1)])
    wire.fault = fault

    positions = committer.append([event(2), event(3)])
    committer.close()

    assert wire.faults == 1
    assert positions == [2, 3]
    assert streams(admin) == [1, 2, 3]
    assert verify(pool).broken is None


@pytest.mark.parametrize("fault", ["request", "answer"])
def test_a_lone_append_finds_out_whether_it_came_through(wire: Any, admin: connection, fault: str) -> None:
    pool = Pool(wire.url)
    log = Log(pool)
    log.append([event(1)])
    wire.fault = fault

    assert log.append([event(2)]) == [2]
    with pytest.raises(Conflict):
        log.append([event(2)])

    pool.close()
    assert wire.faults == 1
    assert streams(admin) == [1, 2]


@pytest.mark.parametrize("rival", [False, True], ids=["alone", "with a rival"])
def test_an_append_still_under_way_on_the_server_is_not_sent_twice(
    wire: Any,
    database_url: str,
    admin: connection,
    pool: Pool,
    rival: bool,
    wait_for_blocked: WaitForBlocked,
) -> None:
    committer = Committer(wire.url)
    committer.append([event(1)])
    with pool.connection() as holder, holder.cursor() as cur:
        cur.execute("SELECT FROM log_head FOR UPDATE")
        wire.fault = "orphan"
        promise = committer.promise([event(2)])
        # The server has the first try, whose sender is cut off, and gets the second.
        wait_for_blocked(2)
        if rival:
            Log(pool).append_within(cur, [event(9)])
            holder.commit()

    assert list(promise.result().positions) == [3 if rival else 2]
    committer.close()
    assert streams(admin) == ([1, 9, 2] if rival else [1, 2])
    assert verify(pool).broken is None


def test_a_backend_killed_while_it_appends_loses_nothing(
    database_url: str, admin: connection, pool: Pool, wait_for_blocked: WaitForBlocked
) -> None:
    committer = Committer(database_url)
    committer.append([event(1)])
    with pool.connection() as holder, holder.cursor() as cur:
        cur.execute("SELECT FROM log_head FOR UPDATE")
        promises = [committer.promise([event(n)]) for n in range(2, 30)]
        (waiting,) = wait_for_blocked(1)
        with admin.cursor() as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", (waiting,))

    for promise in promises:
        promise.result()
    committer.close()
    assert sorted(streams(admin)) == list(range(1, 30))
    assert verify(pool).broken is None


def test_what_was_committed_without_an_answer_is_not_taken_for_a_conflict_after_a_rival_appended(
    wire: Any, admin: connection, pool: Pool, wait_for_blocked: WaitForBlocked
) -> None:
    heard: list[Result] = []
    told = Event()

    def done(result: Result) -> None:
        heard.append(result)
        told.set()

    committer = Committer(wire.url)
    committer.append([event(1)])
    with pool.connection() as holder, holder.cursor() as cur:
        cur.execute("SELECT FROM log_head FOR UPDATE")
        wire.fault = "answer"
        committer.submit([event(2)], done)
        wait_for_blocked(1)
        rival = Committer(pool)
        promise = rival.promise([event(3)])
        wait_for_blocked(2)
    promise.result()
    told.wait()
    rival.close()
    committer.close()

    assert isinstance(heard[0], Committed)
    assert sorted(streams(admin)) == [1, 2, 3]


def test_nothing_is_lost_or_repeated_on_a_wire_that_breaks_all_the_time(
    wire: Any, admin: connection, pool: Pool
) -> None:
    chance = random.Random(7)
    committer = Committer(wire.url, limit=20)
    rival = Log(pool)
    promises = []
    for n in range(1, 120):
        wire.fault = wire.fault or chance.choice(["request", "answer", "orphan", None])
        promises.append((n, committer.promise([event(n), event(n, 2)])))
        if chance.random() < 0.5:
            promises[-1][1].result()
        if chance.random() < 0.3:
            rival.append([event(1000 + n)])

    positions = {n: list(promise.result().positions) for n, promise in promises}
    committer.close()

    assert wire.faults > 20
    found = streams(admin)
    assert {n: [found[p - 1] for p in positions[n]] for n in positions} == {n: [n, n] for n in positions}
    assert len(found) == len(set(found)) + len(positions)
    assert verify(pool).broken is None


def test_without_a_database_patience_ends_with_the_certainty_that_nothing_was_recorded(
    wire: Any, admin: connection
) -> None:
    wire.close()
    committer = Committer(wire.url, patience=0.2)

    with pytest.raises(Unavailable):
        committer.append([event(1)])
    committer.close()

    assert streams(admin) == []


def test_an_outcome_that_cannot_be_found_out_is_called_unresolved(
    wire: Any, admin: connection, wait_for_blocked: WaitForBlocked
) -> None:
    heard: list[Result] = []
    committer = Committer(wire.url)
    committer.append([event(1)])
    with admin.cursor() as cur:
        cur.execute("BEGIN; SELECT FROM log_head FOR UPDATE")
        committer.submit([event(2)], heard.append)
        committer.submit([event(3)], heard.append)
        wait_for_blocked(1)
        wire.close()
        committer.close(timeout=0.2)
        cur.execute("ROLLBACK")

    errors = [type(result.error) for result in heard if isinstance(result, NotCommitted)]
    assert errors[0] is Unresolved
    assert len(errors) == 2
