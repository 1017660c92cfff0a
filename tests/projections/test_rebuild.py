from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from postledger.session import Database, prepare
from projections.all import PROJECTIONS
from projections.following import schema
from projections.following.check import check
from projections.following.rebuild import CLOSE, RebuildUnderWay, beside, rebuild
from projections.queue import queue
from storage.postgres.pool import Pool
from tests.projections.conftest import Writing
from tests.projections.histories import History


def spoil(pool: Pool, statement: str) -> None:
    with pool.transaction() as cursor:
        cursor.execute(statement)


def test_a_row_that_was_changed_by_hand_is_found_and_a_rebuild_mends_it(
    writing: Writing, history: History, pool: Pool
) -> None:
    writing.fold(history)
    assert check(pool) == []
    spoil(pool, "UPDATE queue SET attempts = 7 WHERE recipient = 5")
    (difference,) = check(pool)
    assert (difference.projection, difference.table) == ("queue", "queue")
    assert (difference.only_live, difference.only_rebuilt) == (1, 1)
    assert [(side, row["attempts"]) for side, row in difference.examples] == [("live", 7), ("rebuilt", 0)]
    assert check(pool, ["daily_usage"]) == []
    rebuild(pool, ["queue"])
    assert check(pool) == []


def test_a_row_that_was_removed_is_found(writing: Writing, history: History, pool: Pool) -> None:
    writing.fold(history)
    spoil(pool, "DELETE FROM daily_usage")
    (difference,) = check(pool)
    assert (difference.table, difference.only_live, difference.only_rebuilt) == ("daily_usage", 0, 1)


@pytest.mark.parametrize("lag", [1, CLOSE + 1000])
def test_a_check_is_right_however_far_the_projections_lag_the_log(
    writing: Writing, history: History, pool: Pool, lag: int
) -> None:
    writing.fold(history)
    campaign = next(iter(history.campaigns))
    for _ in range(lag):
        history.queue(campaign, [2])
    writing.log.append([event.stored for event in history.events[-lag:]])
    assert check(pool) == []
    spoil(pool, "UPDATE queue SET attempts = 7 WHERE recipient = 5")
    assert [difference.table for difference in check(pool)] == ["queue"]


def test_a_check_is_right_when_one_projection_is_further_than_the_others(
    writing: Writing, history: History, pool: Pool
) -> None:
    writing.fold(history)
    lag = CLOSE + 1000
    for _ in range(lag):
        history.queue(next(iter(history.campaigns)), [2])
    writing.log.append([event.stored for event in history.events[-lag:]])
    rebuild(pool, ["campaign_progress"])
    assert check(pool) == []


def test_rebuilding_and_checking_are_right_while_mail_is_sent(
    writing: Writing, history: History, pool: Pool
) -> None:
    is_done = threading.Event()
    campaign = next(iter(history.campaigns))
    writing.fold(history)

    def send() -> None:
        while not is_done.is_set():
            history.queue(campaign, [1])
            delivery = history.in_status("queued")[-1]
            history.attempt(delivery, history.reserve(history.servers[0], 1))
            history.accept(delivery)
            writing.fold(history)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        for _ in range(3):
            rebuild(pool)
            assert check(pool) == []
    finally:
        is_done.set()
        sending.join()
    counts = writing.ask(queue.counts)
    assert counts["sent"] == len(history.in_status("sent"))
    assert (counts["queued"], counts["sending"]) == (10, 0)


def test_rows_that_are_forgotten_are_forgotten_wherever_the_log_is_cut(
    writing: Writing, history: History, pool: Pool
) -> None:
    delivery, other, *_ = history.in_status("queued")
    history.attempt(delivery, history.reservations[0])
    history.accept(delivery)
    history.give_back(history.reservations[0])
    writing.fold(history)
    history.now += timedelta(days=40)
    history.attempt(other, history.reserve(history.servers[0], 1))
    writing.fold(history)
    with pool.transaction() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM throughput), (SELECT count(*) FROM server_hours),"
            " (SELECT count(*) FROM reservations)"
        )
        assert cursor.fetchone() == (1, 1, 1)
    assert check(pool) == []


def test_two_rebuilds_at_once_are_refused(pool: Pool) -> None:
    with beside(pool, PROJECTIONS), pytest.raises(RebuildUnderWay):
        rebuild(pool)


def test_a_name_that_no_projection_has_is_refused_with_the_names_there_are(pool: Pool) -> None:
    with pytest.raises(ValueError, match="no projection is called quue: there are queue, "):
        rebuild(pool, ["quue"])


def test_a_projection_with_new_rules_is_outdated_until_it_is_rebuilt(
    writing: Writing, history: History, pool: Pool
) -> None:
    writing.fold(history)
    spoil(pool, "UPDATE projection_positions SET version = 0 WHERE projection = 'servers'")
    assert writing.ask(schema.outdated) == ["servers"]
    rebuild(pool, ["servers"])
    assert writing.ask(schema.outdated) == []


def test_a_table_of_an_earlier_release_gets_what_it_lacked(
    writing: Writing, history: History, pool: Pool, database_url: str
) -> None:
    reservation, key = history.reservations[0], next(iter(history.deliveries))
    history.attempt(key, reservation)
    history.lose(key)
    writing.fold(history)
    spoil(pool, "ALTER TABLE queue DROP COLUMN interruptions")
    spoil(pool, "UPDATE projection_positions SET version = 3 WHERE projection = 'queue'")
    assert prepare(Database(pool.url, database_url)).rebuilt == ["queue"]
    with pool.transaction() as cursor:
        cursor.execute("SELECT recipient, interruptions FROM queue WHERE interruptions > 0")
        assert cursor.fetchall() == [(key[1], 1)]


def test_a_rebuild_leaves_nothing_behind(writing: Writing, history: History, pool: Pool) -> None:
    writing.fold(history)
    head = rebuild(pool)
    assert writing.ask(schema.positions) == {projection.name: head for projection in PROJECTIONS}
    with pool.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'projection_beside'::regnamespace")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'projection' AND tablename = 'queue'"
        )
        assert cursor.fetchone() == (3,)
