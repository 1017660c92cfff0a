from __future__ import annotations

from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from psycopg2.extensions import connection

from storage.log.append import Log
from storage.log.chain import chained, microseconds
from storage.log.verify import Verification, verify
from storage.postgres.pool import Pool


def event(n: int, version: int = 1) -> StoredEvent:
    return StoredEvent(UUID(int=n), version, "tópico", '{"n":"é"}'.encode() * (n % 3))


@pytest.fixture
def tampered(pool: Pool, admin: connection) -> Pool:
    """A log of ten events, and nothing that keeps the superuser from changing it."""
    log = Log(pool)
    log.append([event(n) for n in range(1, 7)])
    for n in range(7, 11):
        log.append([event(n)])
    with admin.cursor() as cur:
        cur.execute("ALTER TABLE events DISABLE TRIGGER ALL")
    return pool


def test_an_empty_log_is_sound(pool: Pool) -> None:
    assert verify(pool) == Verification(None, 0, 0)


def test_what_was_written_is_sound(tampered: Pool) -> None:
    reached: list[int] = []
    assert verify(tampered, progress=reached.append) == Verification(None, 10, 10)
    assert reached == [10]
    assert verify(tampered, since=4) == Verification(None, 7, 10)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 4", 4),
        ("UPDATE events SET recorded_at = 'infinity' WHERE position = 4", 4),
        ("UPDATE events SET recorded_at = '1999-01-01' WHERE position = 4", 4),
        ("UPDATE events SET stream_id = gen_random_uuid() WHERE position = 4", 4),
        ("UPDATE events SET version = version + 1 WHERE position = 4", 4),
        ("UPDATE events SET topic = topic || 's' WHERE position = 4", 4),
        ("UPDATE events SET topic = 't', state = 'ópico'::bytea || state WHERE position = 4", 4),
        ("UPDATE events SET state = state || ' ' WHERE position = 4", 4),
        ("UPDATE events SET hash = sha256(hash) WHERE position = 4", 4),
        ("UPDATE events SET hash = '' WHERE position = 4", 4),
        ("DELETE FROM events WHERE position = 4", 4),
        ("DELETE FROM events WHERE position >= 9", 9),
        ("DELETE FROM events", 1),
        ("UPDATE events SET position = 0 WHERE position = 1", 1),
        ("UPDATE events SET position = 11 WHERE position = 10", 10),
        ("UPDATE events SET position = CASE position WHEN 4 THEN 1005 WHEN 5 THEN 1004 END"
         " WHERE position IN (4, 5);"
         " UPDATE events SET position = position - 1000 WHERE position > 1000", 4),
        ("INSERT INTO events SELECT 0, recorded_at, gen_random_uuid(), 1, topic, state, hash"
         " FROM events WHERE position = 1", 0),
        ("INSERT INTO events SELECT 11, recorded_at, gen_random_uuid(), 1, topic, state, hash"
         " FROM events WHERE position = 1", 11),
        ("UPDATE log_head SET hash = sha256(hash)", 10),
        ("DELETE FROM events WHERE position = 10;"
         " UPDATE log_head SET position = 9", 9),
    ],
)  # fmt: skip
def test_every_change_is_found_where_it_was_made(
    tampered: Pool, admin: connection, change: str, broken: int
) -> None:
    with admin.cursor() as cur:
        cur.execute(change)

    verdict = verify(tampered)

    assert verdict.broken == broken
    assert verdict.reason


def test_a_change_that_recomputes_its_own_hash_breaks_the_chain_behind_it(
    tampered: Pool, admin: connection
) -> None:
    with admin.cursor() as cur:
        cur.execute("SELECT hash FROM events WHERE position = 3")
        row = cur.fetchone()
        assert row is not None
        cur.execute("SELECT recorded_at FROM events WHERE position = 4")
        moment = cur.fetchone()
        assert moment is not None
        event = (UUID(int=4).bytes, 1, "tópico", b"forged")
        (forged,) = chained(bytes(row[0]), 4, microseconds(moment[0]), [event])
        cur.execute("UPDATE events SET state = 'forged', hash = %s WHERE position = 4", (forged,))

    assert verify(tampered).broken == 5


def test_what_lies_before_the_start_is_not_looked_at(tampered: Pool, admin: connection) -> None:
    with admin.cursor() as cur:
        cur.execute("UPDATE events SET state = 'other' WHERE position = 2")

    assert verify(tampered, since=4).broken is None
    assert verify(tampered, since=2).broken == 2


def test_a_start_beyond_the_log_is_refused(tampered: Pool) -> None:
    for since in (0, 12):
        with pytest.raises(ValueError, match="positions 1 to 10"):
            verify(tampered, since=since)


def test_a_long_log_is_checked_page_by_page(tampered: Pool, admin: connection) -> None:
    Log(tampered).append([event(n, 2) for n in range(25_000)])
    assert verify(tampered) == Verification(None, 25_010, 25_010)
    with admin.cursor() as cur:
        cur.execute("UPDATE events SET state = 'other' WHERE position = 20001")

    assert verify(tampered).broken == 20001
