from __future__ import annotations

from threading import Thread

import psycopg2
import pytest
from psycopg2.extensions import connection

from storage.postgres.pool import Pool, PoolClosed, PoolTimeout


def pid(opened: connection) -> int:
    return opened.info.backend_pid


def test_whoever_finds_no_connection_free_waits_for_one(database_url: str) -> None:
    pool = Pool(database_url, size=1)
    got: list[int] = []

    def ask() -> None:
        with pool.connection() as opened:
            got.append(pid(opened))

    with pool.connection() as opened:
        first = pid(opened)
        thread = Thread(target=ask)
        thread.start()
        assert not got
    thread.join()

    assert got == [first]
    pool.close()


def test_waiting_ends_with_an_error_in_time(database_url: str) -> None:
    pool = Pool(database_url, size=1, timeout=0.05)
    with pool.connection(), pytest.raises(PoolTimeout), pool.connection():
        pass
    pool.close()


def test_never_more_connections_are_open_than_the_size_allows(database_url: str, admin: connection) -> None:
    pool = Pool(database_url, size=3)
    most = []

    def work() -> None:
        for _ in range(30):
            with pool.transaction() as cur:
                cur.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'postledger'"
                )
                row = cur.fetchone()
                assert row is not None
                most.append(row[0])

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()

    assert len(most) == 240
    assert max(most) <= 3


def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    database_url: str, admin: connection
) -> None:
    pool = Pool(database_url, size=1)
    with pool.connection() as opened:
        first = pid(opened)
    with admin.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(%s)", (first,))
        while cur.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (first,)) or cur.rowcount:
            pass

    with pool.transaction() as cur:
        cur.execute("SELECT pg_backend_pid()")
        assert cur.fetchone() != (first,)
    pool.close()


def test_a_connection_that_died_in_use_frees_its_place(database_url: str, admin: connection) -> None:
    pool = Pool(database_url, size=1, timeout=1)
    with pool.connection() as opened, opened.cursor() as cur, admin.cursor() as killer:
        killer.execute("SELECT pg_terminate_backend(%s)", (pid(opened),))
        with pytest.raises(psycopg2.OperationalError):
            cur.execute("SELECT 1")

    with pool.transaction() as cur:
        cur.execute("SELECT 1")
        assert cur.fetchone() == (1,)
    pool.close()


def test_an_old_connection_is_replaced(database_url: str) -> None:
    pool = Pool(database_url, size=1, max_age=0)
    with pool.connection() as opened:
        first = pid(opened)
    with pool.connection() as opened:
        assert pid(opened) != first
    pool.close()


def test_a_transaction_is_rolled_back_when_its_block_raises(pool: Pool) -> None:
    def record_and_fail() -> None:
        with pool.transaction() as cur:
            cur.execute("INSERT INTO tracking VALUES ('reader', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record_and_fail()

    with pool.transaction() as cur:
        cur.execute("SELECT count(*) FROM tracking")
        assert cur.fetchone() == (0,)


def test_what_was_not_committed_does_not_reach_the_next_user(database_url: str) -> None:
    pool = Pool(database_url, size=1)
    with pool.connection() as opened, opened.cursor() as cur:
        cur.execute("INSERT INTO tracking VALUES ('reader', 1)")
    with pool.connection() as opened:
        opened.autocommit = True
        with opened.cursor() as cur:
            cur.execute("BEGIN; INSERT INTO tracking VALUES ('reader', 2)")

    with pool.connection() as opened, opened.cursor() as cur:
        assert not opened.autocommit
        cur.execute("SELECT count(*) FROM tracking")
        assert cur.fetchone() == (0,)
    pool.close()


def test_times_are_read_in_utc_whatever_the_server_thinks(pool: Pool) -> None:
    with pool.transaction() as cur:
        cur.execute("SELECT timestamptz '2026-03-08T07:30:00-05:00'")
        row = cur.fetchone()
    assert row is not None
    assert row[0].isoformat() == "2026-03-08T12:30:00+00:00"


def test_a_closed_pool_gives_no_connection(database_url: str) -> None:
    pool = Pool(database_url)
    pool.close()
    with pytest.raises(PoolClosed), pool.connection():
        pass
