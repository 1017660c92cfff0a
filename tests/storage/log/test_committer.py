from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread, current_thread
from uuid import UUID

import psycopg2
import pytest
from eventsourcing.persistence import DataError, StoredEvent
from psycopg2.extensions import connection

from domain.clock import VirtualClock
from storage.log.append import Log
from storage.log.committer import Committed, Committer, CommitterClosed, Conflict, NotCommitted, Result
from storage.log.entries import entries
from storage.log.submission import Settled
from storage.log.verify import verify
from storage.postgres.pool import Pool

HandIn = Callable[[Committer, list[list[StoredEvent]]], list[Result]]


def event(stream: int, version: int = 1) -> StoredEvent:
    return StoredEvent(UUID(int=stream), version, "happened", b"{}")


@pytest.fixture(params=["submit", "submit_all"])
def hand_in_together(
    request: pytest.FixtureRequest, pool: Pool, wait_for_blocked: Callable[[int], list[int]]
) -> HandIn:
    """The committer is held up by one event until all submissions wait, so that they go into one commit."""

    def hand_in(committer: Committer, submissions: list[list[StoredEvent]]) -> list[Result]:
        results: dict[int, Result] = {}
        finished = Event()

        def done(n: int, result: Result) -> None:
            results[n] = result
            if len(results) == len(submissions):
                finished.set()

        def heard(answer: Settled) -> None:
            first = answer.first
            for events, n in answer.parts:
                if answer.error is None:
                    done(n, Committed(range(first, first + len(events)), datetime.now(UTC)))
                else:
                    done(n, NotCommitted(answer.error))
                first += len(events)

        with pool.transaction() as cur:
            cur.execute("SELECT FROM log_head FOR UPDATE")
            first = committer.promise([event(10**6)])
            wait_for_blocked(1)
            if request.param == "submit":
                for n, events in enumerate(submissions):
                    committer.submit(events, partial(done, n))
            else:
                committer.submit_all([(entries(events), n) for n, events in enumerate(submissions)], heard)
        first.result()
        finished.wait()
        return [results[n] for n in range(len(submissions))]

    return hand_in


def positions(result: Result) -> list[int]:
    assert isinstance(result, Committed), result
    return list(result.positions)


def commits(admin: connection) -> int:
    """So many transactions have written events."""
    with admin.cursor() as cur:
        cur.execute("SELECT count(DISTINCT xmin::text) FROM events")
        row = cur.fetchone()
        assert row is not None
        return row[0]


def test_what_waits_together_is_committed_together_in_order(
    pool: Pool, admin: connection, hand_in_together: HandIn
) -> None:
    heads: list[int] = []
    committer = Committer(pool, on_commit=heads.append)
    results = hand_in_together(committer, [[event(n), event(n, 2)] for n in range(50)])
    committer.close()

    assert [positions(result) for result in results] == [[n, n + 1] for n in range(2, 102, 2)]
    assert commits(admin) == 2
    assert heads == [1, 101]


@pytest.mark.parametrize("hand_in_together", ["submit"], indirect=True)
def test_a_commit_has_no_more_events_than_the_limit_but_one_submission_stays_whole(
    pool: Pool, admin: connection, hand_in_together: HandIn
) -> None:
    committer = Committer(pool, limit=10)
    batches = [[event(n, v) for v in range(size)] for n, size in enumerate([4, 6, 1, 25, 1])]
    results = hand_in_together(committer, batches)
    committer.close()

    assert [len(positions(result)) for result in results] == [4, 6, 1, 25, 1]
    assert commits(admin) == 1 + 4


def test_a_conflict_refuses_its_own_submission_alone(pool: Pool, hand_in_together: HandIn) -> None:
    Log(pool).append([event(3), event(7, 2)])
    committer = Committer(pool)
    batches = [[event(n), event(n, 2)] for n in range(10)]
    results = hand_in_together(committer, batches)

    refused = [n for n, result in enumerate(results) if isinstance(result, NotCommitted)]
    assert refused == [3, 7]
    assert all(
        isinstance(results[n], NotCommitted) and isinstance(results[n].error, Conflict) for n in refused
    )
    committed = [positions(result) for n, result in enumerate(results) if n not in refused]
    assert [position for pair in committed for position in pair] == list(range(4, 20))
    with pytest.raises(Conflict):
        committer.append([event(1)])
    assert committer.append([event(7)]) == [20]
    committer.close()
    assert verify(pool).broken is None


def test_of_two_that_claim_the_same_the_first_wins(pool: Pool, hand_in_together: HandIn) -> None:
    committer = Committer(pool)
    first, second, other = hand_in_together(committer, [[event(1)], [event(2), event(1)], [event(3)]])
    committer.close()

    assert positions(first) == [2]
    assert isinstance(second, NotCommitted)
    assert isinstance(second.error, Conflict)
    assert positions(other) == [3]


def test_who_claims_the_same_as_one_that_is_refused_is_not(pool: Pool, hand_in_together: HandIn) -> None:
    Log(pool).append([event(2)])
    committer = Committer(pool)
    first, second = hand_in_together(committer, [[event(1), event(2)], [event(1)]])
    committer.close()

    assert isinstance(first, NotCommitted)
    assert positions(second) == [3]


def test_a_submission_that_contradicts_itself_is_a_conflict(pool: Pool, hand_in_together: HandIn) -> None:
    committer = Committer(pool)
    bad, good = hand_in_together(committer, [[event(1), event(1)], [event(2)]])
    committer.close()

    assert isinstance(bad, NotCommitted)
    assert isinstance(bad.error, Conflict)
    assert positions(good) == [2]


def test_what_the_server_refuses_is_refused_alone(
    pool: Pool, admin: connection, hand_in_together: HandIn
) -> None:
    with admin.cursor() as cur:
        cur.execute(
            "CREATE FUNCTION dislike() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'not this one'; END $$; "
            "CREATE TRIGGER dislike BEFORE INSERT ON events FOR EACH ROW "
            "WHEN (new.version = 13) EXECUTE FUNCTION dislike()"
        )
    committer = Committer(pool)
    results = hand_in_together(committer, [[event(1)], [event(2, 13)], [event(3)]])
    assert positions(results[0]) == [2]
    assert isinstance(results[1], NotCommitted)
    assert isinstance(results[1].error, psycopg2.errors.RaiseException)
    assert positions(results[2]) == [3]
    committer.close()


def test_an_impossible_event_is_refused_at_the_door(pool: Pool) -> None:
    committer = Committer(pool)
    with pytest.raises(DataError):
        committer.submit([StoredEvent(UUID(int=1), -1, "t", b"")], lambda result: pytest.fail(str(result)))
    assert committer.append([event(1)]) == [1]
    committer.close()


def test_nothing_handed_in_is_nothing_committed(pool: Pool) -> None:
    committer = Committer(pool)
    assert committer.append([]) == []
    committer.close()


def test_the_time_is_the_clocks(pool: Pool) -> None:
    noon = datetime(2026, 3, 6, 12, tzinfo=UTC)
    committer = Committer(pool, VirtualClock(noon))
    assert committer.promise([event(1)]).result() == Committed(range(1, 2), noon)
    committer.close()


def test_results_come_in_the_committers_thread_even_when_a_hearer_fails(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[str] = []

    def fail(result: Result) -> None:
        threads.append(current_thread().name)
        raise ZeroDivisionError

    def fail_at_commit(head: int) -> None:
        raise ArithmeticError

    committer = Committer(pool, on_commit=fail_at_commit)
    with caplog.at_level(logging.ERROR):
        committer.submit([event(1)], fail)
        assert committer.append([event(2)]) == [2]
        committer.close()

    assert threads == ["committer"]
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {
        ZeroDivisionError,
        ArithmeticError,
    }


def test_closing_commits_what_was_handed_in_and_takes_no_more(pool: Pool) -> None:
    committer = Committer(pool, limit=3)
    promises = [committer.promise([event(n)]) for n in range(20)]
    committer.close()

    assert all(promise.done() for promise in promises)
    assert [list(promise.result().positions) for promise in promises] == [[n] for n in range(1, 21)]
    with pytest.raises(CommitterClosed):
        committer.append([event(99)])


def test_listeners_are_told_when_one_of_a_commit_asks_for_it(pool: Pool, admin: connection) -> None:
    committer = Committer(pool)
    with admin.cursor() as cur:
        cur.execute("LISTEN postledger_log")
        committer.append([event(1)], notify=False)
        committer.append([event(2)])
        while not admin.notifies:
            admin.poll()
    committer.close()

    assert [told.payload for told in admin.notifies] == ["2"]


def test_many_threads_share_commits(pool: Pool, admin: connection) -> None:
    committer = Committer(pool)
    got: list[int] = []

    def work(stream: int) -> None:
        for version in range(1, 21):
            got.extend(committer.append([event(stream, version)]))

    threads = [Thread(target=work, args=(stream,)) for stream in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committer.close()

    assert sorted(got) == list(range(1, 401))
    assert commits(admin) < 200
    assert verify(pool).broken is None
