from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from storage import processors
from storage.log.committer import Committer, Fenced
from storage.postgres.pool import Pool

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=30)


def event(stream: int, version: int = 1) -> StoredEvent:
    return StoredEvent(UUID(int=stream), version, "happened", b"{}")


def registered(pool: Pool, host: str = "here", pid: int = 1) -> int:
    with pool.transaction() as cur:
        return processors.register(cur, host, pid, NOON)


def test_who_was_not_seen_for_too_long_is_silent(pool: Pool) -> None:
    one, two = registered(pool), registered(pool, "there", 7)
    later = NOON + timedelta(seconds=31)
    with pool.transaction() as cur:
        assert processors.alive(cur, NOON + PATIENCE, PATIENCE) == [one, two]
        assert processors.seen(cur, two, later)
        assert processors.silent(cur, later, PATIENCE) == [one]
        assert processors.alive(cur, later, PATIENCE) == [two]
        assert processors.unfenced_on(cur, "there") == [(two, 7)]


def test_who_is_fenced_is_neither_alive_nor_silent_until_its_work_is_settled(pool: Pool) -> None:
    one, two = registered(pool), registered(pool)
    with pool.transaction() as cur:
        processors.fence(cur, one)
        assert not processors.seen(cur, one, NOON)
        assert processors.alive(cur, NOON, PATIENCE) == [two]
        assert processors.silent(cur, NOON + timedelta(days=1), PATIENCE) == [two]
        assert processors.unfenced_on(cur, "here") == [(two, 1)]
        processors.settle(cur, two)
        assert [dead.number for dead in processors.fenced_with_open_work(cur, "here", NOON)] == [one]
        processors.settle(cur, one)
        assert processors.fenced_with_open_work(cur, "here", NOON) == []


def test_a_fenced_processor_appends_nothing_any_more_and_its_neighbour_does(pool: Pool) -> None:
    one, two = registered(pool), registered(pool)
    fenced, free = Committer(pool, processor=one), Committer(pool, processor=two)
    assert fenced.append([event(1)]) == [1]
    with pool.transaction() as cur:
        processors.fence(cur, one)

    for n in range(2, 5):
        with pytest.raises(Fenced):
            fenced.append([event(n)])
    assert free.append([event(2)]) == [2]
    fenced.close()
    free.close()


@pytest.mark.parametrize("rival", [False, True], ids=["at the head", "behind the head"])
def test_a_number_that_nobody_registered_appends_nothing(pool: Pool, rival: bool) -> None:
    if rival:
        other = Committer(pool)
        other.append([event(9)])
        other.close()
    committer = Committer(pool, processor=12345)
    with pytest.raises(Fenced):
        committer.append([event(1)])
    committer.close()


def test_an_append_that_meets_the_fencing_waits_for_it_and_is_refused(pool: Pool) -> None:
    number = registered(pool)
    committer = Committer(pool, processor=number)
    committer.append([event(1)])
    with pool.transaction() as cur:
        processors.fence(cur, number)
        promises = [committer.promise([event(2)]), committer.promise([event(3)])]
        assert not promises[0].done()

    for promise in promises:
        with pytest.raises(Fenced):
            promise.result()
    committer.close()


def test_fencing_waits_for_an_append_under_way_so_that_nothing_follows_it(pool: Pool) -> None:
    number = registered(pool)
    committer = Committer(pool, processor=number)
    committer.append([event(1)])
    heads: list[int] = []
    ready = Event()

    def fence() -> None:
        ready.wait()
        with pool.transaction() as cur:
            processors.fence(cur, number)
            cur.execute("SELECT count(*) FROM events")
            row = cur.fetchone()
            assert row is not None
            heads.append(row[0])

    thread = Thread(target=fence)
    thread.start()
    written = 1
    refused = None
    while refused is None and written < 5000:
        refused = committer.promise([event(1, written + 1)]).exception()
        written += refused is None
        if written == 20:
            ready.set()
    thread.join()
    committer.close()

    assert isinstance(refused, Fenced)
    assert heads == [written]
