from __future__ import annotations

import threading

import pytest

from projections.all import PROJECTIONS
from projections.following import schema
from projections.following.follower import Follower
from projections.following.runner import ADVISORY_LOCK, Runner
from projections.queue import queue
from storage.postgres.pool import Pool
from tests.projections.conftest import Writing
from tests.projections.histories import History


def append(writing: Writing, history: History) -> int:
    """The position of the last event."""
    return writing.log.append([event.stored for event in history.events])[-1]


def test_two_runners_at_once_apply_each_event_once(writing: Writing, history: History, pool: Pool) -> None:
    head, applied = append(writing, history), []
    together = threading.Barrier(2)

    def run() -> None:
        runner = Runner(pool)
        together.wait()
        applied.append(runner.catch_up())
        assert runner.position == head

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(applied) == head
    assert writing.ask(queue.counts)["queued"] == 10


def test_a_runner_leaves_the_work_to_another_that_is_at_it(
    writing: Writing, history: History, pool: Pool
) -> None:
    head = append(writing, history)
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        assert writing.runner.step() is None
        with pytest.raises(TimeoutError):
            writing.runner.catch_up_to(head, timeout=0.01)
    assert writing.runner.step() == head
    assert writing.runner.step() == 0


def test_waiting_for_what_the_log_does_not_have_yet_gives_up_in_time(
    writing: Writing, history: History
) -> None:
    head = append(writing, history)
    with pytest.raises(TimeoutError):
        writing.runner.catch_up_to(head + 1, timeout=0.01)
    assert writing.runner.position == head


def test_a_follower_folds_what_it_is_woken_for(writing: Writing, history: History) -> None:
    follower = Follower(writing.runner)
    follower.start()
    head = append(writing, history)
    follower.wake(head)
    Runner(writing.pool).catch_up_to(head, timeout=10)
    follower.stop()
    assert writing.ask(queue.counts)["queued"] == 10
    assert not follower.is_running()


def test_a_projection_that_is_new_catches_up_with_the_others(writing: Writing, history: History) -> None:
    head = append(writing, history)
    writing.runner.catch_up()
    with writing.pool.transaction() as cursor:
        cursor.execute(
            "DELETE FROM projection_positions WHERE projection = 'daily_usage'; DROP TABLE daily_usage"
        )
    assert schema.create(writing.pool) == ["daily_usage"]
    Runner(writing.pool).catch_up()
    assert set(writing.ask(schema.positions).values()) == {head}
    with writing.pool.transaction() as cursor:
        cursor.execute("SELECT sum(reserved) FROM daily_usage")
        assert cursor.fetchone() == (10,)
    assert writing.ask(queue.counts)["queued"] == 10


def test_creating_the_tables_twice_changes_nothing(writing: Writing, history: History) -> None:
    writing.fold(history)
    assert schema.create(writing.pool) == []
    assert set(writing.ask(schema.positions)) == {projection.name for projection in PROJECTIONS}
    assert writing.ask(queue.counts)["queued"] == 10


def test_an_event_of_a_kind_that_is_not_known_is_passed_over(writing: Writing, history: History) -> None:
    campaign = next(iter(history.campaigns))
    history.turn(campaign, "applauded", loudly=True)
    head = append(writing, history)
    writing.runner.catch_up()
    assert writing.runner.position == head


def test_a_reply_with_a_nul_character_does_not_stop_the_projections(
    writing: Writing, history: History
) -> None:
    delivery = history.in_status("queued")[0]
    history.attempt(delivery, history.reservations[0])
    history.fail(delivery, about="\x00\\")
    writing.fold(history)
    assert writing.ask(queue.counts)["failed"] == 1
