"""Queueing: the log says where to go on, and nobody is queued twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import processor.queueing
from application.decisions.postledger import Postledger
from domain.campaign.audience import LARGEST_CHUNK
from domain.clock import SystemClock
from domain.streams import audience_stream
from processor.queueing import Queueing
from storage import content
from storage.log.committer import Committer
from storage.log.factory import LogFactory
from storage.people import lists
from storage.postgres.pool import Pool

PEOPLE = "INSERT INTO recipients (email) SELECT 'p' || n || '@example.org' FROM generate_series(1, %s) n"
SUBSCRIBE = (
    "INSERT INTO subscriptions (list, recipient, status) SELECT %s, number, 'confirmed' FROM recipients"
)
QUEUED = "SELECT convert_from(state, 'UTF8')::jsonb FROM events WHERE stream_id = %s ORDER BY version"


class Bench:
    """A started campaign to so many people, and what queues it."""

    def __init__(self, url: str, pool: Pool, people: int) -> None:
        self.pool = pool
        self.application = Postledger(factory=LogFactory(pool=pool))
        self.committer = Committer(url, SystemClock())
        with pool.transaction() as cursor:
            everybody = lists.create(cursor, {"name": "Everybody"})
            cursor.execute(PEOPLE, (people,))
            cursor.execute(SUBSCRIBE, (everybody,))
            text = content.keep(cursor, "Hello")
        self.application.create_campaign(
            number=1, name="One", subject="News", text=text, lists=[everybody], by="test"
        )
        self.application.start(1, by="test")
        self.queueing = self.another()

    def another(self) -> Queueing:
        return Queueing(self.pool, self.application, self.committer, "test")

    def facts(self) -> list[dict[str, Any]]:
        with self.pool.transaction() as cursor:
            cursor.execute(QUEUED, (str(audience_stream(1)),))
            return [state for (state,) in cursor.fetchall()]

    def numbers(self) -> list[int]:
        """Everybody who was queued, in the order of the log."""
        return [
            number
            for fact in self.facts()
            for first, last in fact["ranges"]
            for number in range(first, last + 1)
        ]


@pytest.fixture
def bench_of(database_url: str, pool: Pool) -> Iterator[Callable[[int], Bench]]:
    made: list[Bench] = []

    def make(people: int) -> Bench:
        made.append(Bench(database_url, pool, people))
        return made[-1]

    yield make
    for bench in made:
        bench.committer.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fact a commit."""
    monkeypatch.setattr(processor.queueing, "CHUNKS_A_COMMIT", 1)


def queue_all(queueing: Queueing) -> None:
    while queueing.step(1):
        pass


def test_everybody_is_queued_once_in_facts_of_a_thousand_at_most(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(2500)
    queue_all(bench.queueing)
    assert [fact["count"] for fact in bench.facts()] == [LARGEST_CHUNK, LARGEST_CHUNK, 500]
    assert len(bench.numbers()) == len(set(bench.numbers())) == 2500
    assert bench.application.campaign(1).recipients == 2500


@pytest.mark.usefixtures("small_steps")
def test_another_processor_goes_on_where_the_log_ends(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(2500)
    assert bench.queueing.step(1)
    queue_all(bench.another())
    assert bench.numbers() == sorted(set(bench.numbers()))
    assert len(bench.numbers()) == 2500


@pytest.mark.usefixtures("small_steps")
def test_several_at_once_queue_nobody_twice(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(5500)
    together = threading.Barrier(3)

    def queue(queueing: Queueing) -> None:
        together.wait()
        while bench.application.campaign(1).is_queueing():
            queueing.step(1)

    threads = [threading.Thread(target=queue, args=(bench.another(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.numbers() == sorted(set(bench.numbers()))
    assert len(bench.numbers()) == 5500
    assert bench.application.campaign(1).recipients == 5500


@pytest.mark.usefixtures("small_steps")
def test_nobody_is_queued_any_more_once_the_campaign_is_cancelled(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(2500)
    assert bench.queueing.step(1)
    bench.application.cancel(1, by="test")
    assert not bench.queueing.step(1)
    assert len(bench.numbers()) == LARGEST_CHUNK


def test_a_cancel_that_comes_as_queueing_ends_is_not_overridden(
    bench_of: Callable[[int], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(10)
    assert bench.queueing.step(1)
    counted = processor.queueing._queued

    def cancelled_meanwhile(cursor: Any, campaign: int) -> int:
        bench.application.cancel(1, by="test")
        return counted(cursor, campaign)

    monkeypatch.setattr(processor.queueing, "_queued", cancelled_meanwhile)
    assert not bench.queueing.step(1)
    assert bench.application.campaign(1).state == "cancelled"
    assert bench.application.campaign(1).recipients is None


@pytest.mark.usefixtures("small_steps")
def test_a_paused_campaign_is_queued_to_its_end(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(1500)
    assert bench.queueing.step(1)
    bench.application.pause(1, by="test")
    queue_all(bench.queueing)
    assert bench.application.campaign(1).recipients == 1500


def test_a_campaign_to_nobody_ends_at_once(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(0)
    queue_all(bench.queueing)
    assert bench.facts() == []
    assert bench.application.campaign(1).recipients == 0
