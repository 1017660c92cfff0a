from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import DataError, IntegrityError, StoredEvent
from psycopg2.extensions import connection

from domain.clock import SystemClock, VirtualClock
from storage.log.append import Conflict, Log
from storage.log.committer import Committer
from storage.log.entries import DamagedLog
from storage.log.verify import verify
from storage.postgres.pool import Pool
from storage.processors import database_time

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)


def event(stream: int, version: int = 1, state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(UUID(int=stream), version, "happened", state)


def log_of(pool: Pool) -> list[tuple[int, int, int]]:
    with pool.transaction() as cur:
        cur.execute("SELECT position, stream_id, version FROM events ORDER BY position")
        return [(position, stream.int, version) for position, stream, version in cur.fetchall()]


def times_of(pool: Pool) -> list[datetime]:
    with pool.transaction() as cur:
        cur.execute("SELECT recorded_at FROM events ORDER BY position")
        return [moment for (moment,) in cur.fetchall()]


def test_batches_are_appended_together_in_the_order_given(pool: Pool) -> None:
    log = Log(pool)
    assert log.append([event(1)], [event(2), event(3)]) == [1, 2, 3]
    assert log.append([event(1, 2)]) == [4]
    assert log.append() == log.append([]) == []
    assert log_of(pool) == [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 1, 2)]


def test_a_conflict_in_one_batch_keeps_all_of_them_out(pool: Pool) -> None:
    log = Log(pool)
    log.append([event(1)])
    for batches in ([[event(2)], [event(1)]], [[event(3), event(4)], [event(3)]]):
        with pytest.raises(Conflict):
            log.append(*batches)
    assert issubclass(Conflict, IntegrityError)
    assert log_of(pool) == [(1, 1, 1)]
    assert log.append([event(2)]) == [2]


def test_state_and_topic_are_kept_byte_for_byte(pool: Pool) -> None:
    states = [b"", b'{"a":"\\\\ \' \\" , {} NULL"}', bytes(range(256)), "é☃".encode()]
    topics = ["", "a,b", 'quoted "topic"', "back\\slash {} NULL é☃"]
    pairs = list(zip(topics, states, strict=True))
    Log(pool).append([StoredEvent(uuid4(), n, topic, state) for n, (topic, state) in enumerate(pairs)])
    with pool.transaction() as cur:
        cur.execute("SELECT topic, state FROM events ORDER BY position")
        kept = [(topic, bytes(state)) for topic, state in cur.fetchall()]
    assert kept == pairs
    assert verify(pool).broken is None


@pytest.mark.parametrize(
    "bad",
    [
        StoredEvent("no uuid", 1, "t", b""),
        StoredEvent(UUID(int=1), -1, "t", b""),
        StoredEvent(UUID(int=1), 2**31, "t", b""),
        StoredEvent(UUID(int=1), True, "t", b""),
        StoredEvent(UUID(int=1), 1, "nul\0", b""),
        StoredEvent(UUID(int=1), 1, "half \ud800", b""),
        StoredEvent(UUID(int=1), 1, "t", "text"),  # type: ignore[arg-type]
    ],
)
def test_what_no_log_can_hold_is_refused(pool: Pool, bad: StoredEvent) -> None:
    with pytest.raises(DataError):
        Log(pool).append([event(5), bad])
    assert log_of(pool) == []


def test_an_append_within_a_transaction_shares_its_fate(pool: Pool) -> None:
    log = Log(pool)
    log.append([event(1)])
    with pool.transaction() as cur:
        assert log.append_within(cur, [event(2), event(3)]) == [2, 3]
        assert log.append_within(cur, [event(2, 2)]) == [4]
        cur.execute("INSERT INTO tracking VALUES ('reader', 1)")
    with pool.connection() as opened, opened.cursor() as cur:
        log.append_within(cur, [event(7)])
    with pytest.raises(Conflict), pool.transaction() as cur:
        log.append_within(cur, [event(1)])

    assert log.append([event(4)]) == [5]
    assert [stream for _, stream, _ in log_of(pool)] == [1, 2, 3, 2, 4]
    assert verify(pool).broken is None


def test_recorded_at_is_the_clocks_time_and_never_earlier_than_the_event_before(pool: Pool) -> None:
    Log(pool, VirtualClock(NOON)).append([event(1), event(2)])
    Log(pool, VirtualClock(NOON - timedelta(seconds=4))).append([event(3)])
    Log(pool, VirtualClock(NOON + timedelta(seconds=1))).append([event(4)])

    assert times_of(pool) == [NOON, NOON, NOON, NOON + timedelta(seconds=1)]


@pytest.mark.parametrize("ahead", [-3600.0, -2.0, 2.0, 120.0, 3600.0])
def test_recorded_at_is_the_databases_time_whatever_the_host_shows(pool: Pool, ahead: float) -> None:
    log = Log(pool, SystemClock(host=lambda: time.time() + ahead))
    with pool.transaction() as cur:
        before = database_time(cur)
        log.append([event(1)])
        log.append([event(2)])
        after = database_time(cur)
    first, second = times_of(pool)
    unsure = timedelta(seconds=0.5)
    assert before - unsure <= first <= second <= after + unsure


def test_a_log_written_under_a_clock_far_ahead_returns_to_the_right_time(pool: Pool) -> None:
    ahead = NOON + timedelta(days=3650)
    Log(pool, VirtualClock(ahead)).append([event(1)])
    Log(pool, VirtualClock(NOON)).append([event(2)])

    assert times_of(pool) == [ahead, NOON]
    assert verify(pool).broken is None


def test_listeners_are_told_the_new_head_when_asked_for(pool: Pool, admin: connection) -> None:
    log = Log(pool)
    with admin.cursor() as cur:
        cur.execute("LISTEN postledger_log")
        log.append([event(1), event(2)])
        log.append([event(3)], notify=False)
        log.append([event(4)])
        while len(admin.notifies) < 2:
            admin.poll()

    assert [told.payload for told in admin.notifies] == ["2", "4"]


def test_a_damaged_head_is_reported_as_such(pool: Pool, admin: connection) -> None:
    Log(pool).append([event(1), event(2)])
    with admin.cursor() as cur:
        cur.execute("UPDATE log_head SET position = 1")

    with pytest.raises(DamagedLog):
        Log(pool).append([event(3)])


def test_a_reader_never_misses_an_event_that_several_writers_append(pool: Pool, database_url: str) -> None:
    committers = [Committer(database_url, limit=5) for _ in range(2)]
    writers = [*(committer.append for committer in committers), Log(pool).append, Log(pool).append]
    finished = Event()
    read: list[int] = []

    def write(number: int) -> None:
        for n in range(60):
            writers[number]([event(number * 1000 + n, v) for v in range(n % 4 + 1)])

    def follow() -> None:
        ends = False
        while not ends:
            ends = finished.is_set()
            with pool.transaction() as cur:
                cur.execute(
                    "SELECT position FROM events WHERE position > %s ORDER BY position",
                    (read[-1] if read else 0,),
                )
                read.extend(position for (position,) in cur.fetchall())

    reader = Thread(target=follow)
    reader.start()
    threads = [Thread(target=write, args=(number,)) for number in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finished.set()
    reader.join()
    for committer in committers:
        committer.close()

    assert read == list(range(1, 4 * 60 * 5 // 2 + 1))
    assert verify(pool).broken is None
    assert times_of(pool) == sorted(times_of(pool))
